"""Drivers that come with cellctl: one package per protocol, and the device profiles."""
