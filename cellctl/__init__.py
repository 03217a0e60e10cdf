"""cellctl: an edge controller runtime for robotic micro-factory cells. It is not a safety system.

What the author of a phase needs is here; the architecture is told in `docs/explanation/architecture.md`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellctl.core.phase import PhaseFault, param, phase

__version__ = "0.1.0"
__all__ = ["PhaseFault", "param", "phase"]


def __getattr__(name: str) -> Any:
    """The names of `cellctl.core.phase`, imported when first asked for: the command line starts without them."""
    if name in __all__:
        from cellctl.core import phase

        return getattr(phase, name)
    raise AttributeError(f"module 'cellctl' has no attribute {name!r}")
