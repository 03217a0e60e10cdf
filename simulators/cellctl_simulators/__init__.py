"""Simulated devices: pure models, the world that wires them, and servers that put them behind real protocols.

All that the author of a device model needs is here; see `cellctl_simulators.models` for examples.
"""

from cellctl_simulators.wire import Ask, Lines, Node, Nodes, Registers, Wire, float32, word
from cellctl_simulators.world import Model, ModelFactory, Outputs, World

__all__ = [
    "Ask",
    "Lines",
    "Model",
    "ModelFactory",
    "Node",
    "Nodes",
    "Outputs",
    "Registers",
    "Wire",
    "World",
    "float32",
    "word",
]
