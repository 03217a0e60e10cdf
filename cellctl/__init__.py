"""cellctl: an edge controller runtime for robotic micro-factory cells. It is not a safety system.

What the author of a phase needs is here; the architecture is told in `docs/explanation/architecture.md`.
"""

__version__ = "0.1.0"
