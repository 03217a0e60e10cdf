"""What a task waits for, in words; and the future at the end of its waiting, where an error can reach it."""

import asyncio
from collections.abc import Iterable
from typing import Any


def where_it_waits(future: "asyncio.Future[Any]") -> "asyncio.Future[Any] | None":
    """The future that `future` waits for, through all tasks in between; None if it runs, or has ended."""
    while isinstance(future, asyncio.Task):
        waiter = getattr(future, "_fut_waiter", None)  # what asyncio's own tasks have always called it
        if waiter is None:
            return None
        future = waiter
    return future


def told(tasks: Iterable["asyncio.Task[Any]"]) -> str:
    """Each of `tasks`, with the line of code at which it waits."""
    lines = sorted(f"{task.get_name()} waits at {_place(task)}" for task in tasks if not task.done())
    return "; ".join(lines) or "no task is left"


def _place(task: "asyncio.Task[Any]") -> str:
    """File, line and name of the innermost frame of the task's own coroutines."""
    inner: Any = task.get_coro()
    place = "its beginning"
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None) or getattr(inner, "ag_frame", None)
        if frame is None:
            break
        if "/asyncio/" not in frame.f_code.co_filename:
            place = f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno} ({frame.f_code.co_qualname})"
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return place
