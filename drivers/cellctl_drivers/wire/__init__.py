"""What the three drivers share: settings, addresses, decoding, orders, rounds of reading, and byte streams.

The rule kept here: nothing knows a protocol, and nothing keeps anything from one connection to the next, but for a
line on which several devices are.
"""
