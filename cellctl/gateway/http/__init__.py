"""The HTTP side of the gateway: the API of version 1, its live stream, and the page."""
