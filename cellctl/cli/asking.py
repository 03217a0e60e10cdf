"""Questions to a person while a device is connected.

The rule kept here: whoever is asked can end it at any moment. Nothing waits for a line that nobody types.
"""

import asyncio
import os
import sys
import threading
from contextlib import suppress

import click

from cellctl.cli.terminal import say, visible

_AGREED = {"y": True, "yes": True, "n": False, "no": False, "": False}


async def asked(question: str) -> str:
    """The line that a person types, while the device is kept alive; click.Abort at the end of the input."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str | None] = loop.create_future()

    def hand_over(text: str | None) -> None:
        if not line.done():
            line.set_result(text)

    def wait() -> None:
        text = _line()
        with suppress(RuntimeError):  # the question was broken off, and its loop is closed
            loop.call_soon_threadsafe(hand_over, text)

    click.echo(f"{visible(question)}: ", nl=False, err=True)
    # A thread of the loop's own pool would be waited for at the end of the program; this one is not.
    threading.Thread(target=wait, name="question", daemon=True).start()
    try:
        text = await line
    except asyncio.CancelledError:
        say("")
        raise
    if text is None:
        say("")
        raise click.Abort
    return text


async def agreed(question: str) -> bool:
    """Whether a person says yes; nothing typed is no."""
    while (answer := (await asked(f"{question} [y/N]")).strip().lower()) not in _AGREED:
        say("Type y or n.")
    return _AGREED[answer]


def _line() -> str | None:
    """One line of stdin without its end; None if there is no more.

    It is read past the buffer of `sys.stdin`: a thread that waits in there holds its lock, and Python cannot end.
    """
    try:
        place = sys.stdin.fileno()
    except (OSError, ValueError, AttributeError):  # no file of the system, or none at all
        text = "" if sys.stdin is None else sys.stdin.readline()
        return text.rstrip("\r\n") if text else None
    content = b""
    while not content.endswith(b"\n"):
        try:
            sign = os.read(place, 1)
        except OSError:  # the terminal is gone
            sign = b""
        if not sign:
            break
        content += sign
    return content.decode(sys.stdin.encoding or "utf-8", "replace").rstrip("\r\n") if content else None
