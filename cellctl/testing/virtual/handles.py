"""What waits to be called: a callback with its context, ordered by its time and, at the same time, by who came first.

asyncio's own handles do the same, and carry what only debugging needs; a run in virtual time is made of nothing else.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any


class Call:
    """A callback that is called once, unless it is cancelled. Does what `asyncio.Handle` and `TimerHandle` promise."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context", "_loop", "_when")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> None:
        self._loop, self._when, self._callback, self._args = loop, when, callback, args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """Never call it."""
        if not self._cancelled:
            self._cancelled = True
            self._callback, self._args = _nothing, ()

    def cancelled(self) -> bool:
        """Whether it is never called."""
        return self._cancelled

    def when(self) -> float:
        """The time at which it is due."""
        return self._when

    def get_context(self) -> Context:
        """The context in which it is called."""
        return self._context

    def _run(self) -> None:
        """What the loop does with it."""
        try:
            self._context.run(self._callback, *self._args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._loop.call_exception_handler(
                {"message": f"Exception in callback {self._callback!r}", "exception": error, "handle": self}
            )


def _nothing() -> None:
    return None
