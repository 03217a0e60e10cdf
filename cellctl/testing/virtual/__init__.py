"""Time that jumps and a network in memory: what real protocol stacks run on in a test."""

from cellctl.testing.virtual.loop import EPOCH_NS, Deadlock, VirtualLoop
from cellctl.testing.virtual.net import Net
from cellctl.testing.virtual.wall import wall_clock

__all__ = ["EPOCH_NS", "Deadlock", "Net", "VirtualLoop", "wall_clock"]
