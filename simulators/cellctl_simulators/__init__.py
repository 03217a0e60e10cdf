"""Simulated devices: pure models, the world that wires them, and servers that put them behind real protocols."""
