"""A cell checked apart: a child process reads the files, this one gets the outcome.

The rule kept here: what checking needs (libraries for YAML and schemas, trees of text) lives and ends with the child;
who runs the cell for months keeps none of it, and can get ready meanwhile.
"""

import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from cellctl.model.cell_model import CellModel
from cellctl.model.check import Checked, check

T = TypeVar("T")


def checking(path: Path | str) -> Callable[[], Checked]:
    """Begin to `check` in a child process; what is returned waits for the outcome, and is called once.

    For a process without threads. ChildProcessError if the child ended without an outcome.
    """
    outcome = apart(partial(_checked, path))

    def checked() -> Checked:
        found = outcome()
        return replace(found, model=_with_phases(found.model)) if found.model else found

    return checked


def apart(make: Callable[[], T]) -> Callable[[], T]:
    """Begin to `make` something in a child process; what is returned waits for it, and is called once.

    For a process without threads, and for what can be pickled. ChildProcessError if the child ended without it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(make, writing)
    os.close(writing)

    def outcome() -> T:
        with open(reading, "rb") as pipe:
            told = pipe.read()
        _, status = os.waitpid(child, 0)
        if status:
            raise ChildProcessError(f"the files could not be checked: exit code {os.waitstatus_to_exitcode(status)}")
        made: T = pickle.loads(told)
        return made

    return outcome


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
