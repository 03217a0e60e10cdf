"""Bugs planted on purpose, as patches, and the hunt for them."""
