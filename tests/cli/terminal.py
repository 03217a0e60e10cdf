"""The command line as a person uses it: words in, exit code and two streams out."""

import asyncio
import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from cellctl.cli import main


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(*words: str, stdin: str | io.StringIO = "") -> Result:
    """Run `cellctl` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["cellctl", *words]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin) if isinstance(stdin, str) else stdin),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            return Result(int(end.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main always ends with an exit code")


def terminal(*words: str, stdin: str = "") -> "asyncio.Future[Result]":
    """The same beside a running event loop."""
    return asyncio.ensure_future(asyncio.to_thread(run, *words, stdin=stdin))
