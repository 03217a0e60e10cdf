"""Servers that put the wire of a model behind a real protocol, on loopback or a pseudo terminal."""
