"""Loading a protocol library when a device first needs it.

The rule kept here: neither `cellctl check` nor the running loop waits for an import.
"""

import asyncio
import sys
from importlib import import_module


async def load(module: str) -> None:
    """Import `module` without stopping the loop."""
    if module not in sys.modules:
        await asyncio.to_thread(import_module, module)
