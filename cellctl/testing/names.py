"""Names that a test gives: an unknown one is an error that says what was meant."""

from collections.abc import Iterable

from cellctl.core.messages import SetMode
from cellctl.core.packml import Command, Mode, State
from cellctl.gateway.told import unknown


class UnknownName(LookupError):  # noqa: N818 - what is the case
    """There is nothing of that name: which one was meant, or which there are."""


def known(what: str, name: str, names: Iterable[str]) -> str:
    """`name`, if it is one of `names`; UnknownName otherwise."""
    there = list(names)
    if name not in there:
        raise UnknownName(unknown(what, name, there))
    return name


def command_of(name: str) -> Command:
    """A PackML command by its name; UnknownName for a name that is none."""
    names = {command.name.lower(): command for command in Command}
    return names[known("command", _plain(name), names)]


def mode_of(name: str) -> SetMode:
    """The change to a unit mode by its name; UnknownName for a name that is none."""
    names = {mode.name.lower(): mode for mode in Mode}
    return SetMode(names[known("mode", _plain(name), names)])


def state_of(name: str) -> State:
    """A PackML state by its name; UnknownName for a name that is none."""
    names = {state.title: state for state in State}
    return names[known("state", name.strip().title(), names)]


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
