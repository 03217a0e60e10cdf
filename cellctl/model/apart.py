"""A cell checked apart: a child process reads the files, this one gets the outcome.

The rule kept here: what checking needs (libraries for YAML and schemas, trees of text) lives and ends with the child;
who runs the cell for months keeps none of it, and can get ready meanwhile.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from cellctl.model.cell_model import CellModel
from cellctl.model.check import Checked, check

T = TypeVar("T")


def checking(path: Path | str) -> Callable[[], Checked]:
    """Begin to `check` in a child process; what is returned waits for the outcome, and is called once.

    For a process without threads. ChildProcessError if the child ended without an outcome.
    """
    outcome = Apart(partial(_checked, path))

    def checked() -> Checked:
        found = outcome()
        return replace(found, model=_with_phases(found.model)) if found.model else found

    return checked


class Apart(Generic[T]):
    """Something that is made in a child process, which begins at once: calling it waits for what was made.

    For a process without threads, and for what can be pickled. ChildProcessError if the child ended without it.
    Whoever does not call it gives it back with `close`.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._reading: int | None
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            _tell(make, writing)
        os.close(writing)

    def __call__(self) -> T:
        """What was made; once."""
        assert self._reading is not None
        with open(self._reading, "rb") as pipe:
            told = pipe.read()
        self._reading = None
        _, status = os.waitpid(self._child, 0)
        if status:
            raise ChildProcessError(f"the files could not be checked: exit code {os.waitstatus_to_exitcode(status)}")
        made: T = pickle.loads(told)
        return made

    def close(self) -> None:
        """Nobody wants it any more."""
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)


def _tell(make: Callable[[], object], writing: int) -> NoReturn:
    """In the child: to its end."""
    code = 1
    try:
        made = make()
        with open(writing, "wb") as pipe:
            pickle.dump(made, pipe)
        code = 0
    except Exception:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)  # nothing of what the parent has begun is ended here


def _checked(path: Path | str) -> Checked:
    checked = check(path)
    return replace(checked, model=_without_phases(checked.model)) if checked.model else checked


def _without_phases(model: CellModel) -> CellModel:
    """Phases are functions, which no other process can be given; their files can."""
    return replace(model, equipment=replace(model.equipment, phases={}))


def _with_phases(model: CellModel) -> CellModel:
    found = {file: file.definitions() for file in set(model.phase_files.values())}
    phases = {name: found[file][name] for name, file in model.phase_files.items()}
    return replace(model, equipment=replace(model.equipment, phases=phases))
