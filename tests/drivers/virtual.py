"""Tests of drivers in virtual time: whatever the machine is busy with, what is late is late by what the test says."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from cellctl.testing.virtual import VirtualLoop


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test, on a virtual loop of its own; its fixtures make nothing that needs a loop."""

    @wraps(test)
    def run(*fixtures: Any, **named: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*fixtures, **named))

    return run
