"""Stop and Abort take the energy out of the process, whatever is wrong."""

from pathlib import Path

import pytest

from cellctl.core.packml import Command
from tests.kills.stopping import TROUBLES, Stopped, stopped, stopped_before_many, stopped_without_gateway


@pytest.mark.parametrize("command", [Command.STOP, Command.ABORT], ids=lambda one: one.title)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_is_wrong_there_is_no_energy_soon(trouble: str, command: Command) -> None:
    """In virtual time: the bounds follow from the time-outs of the profiles."""
    told = stopped(trouble, command, 0.1)
    assert not told.wrong, told


def test_a_killed_gateway_stops_no_stop(tmp_path: Path) -> None:
    check(stopped_without_gateway(tmp_path))


def test_a_hundred_onlookers_stop_no_stop(tmp_path: Path) -> None:
    check(stopped_before_many(tmp_path))


def check(told: Stopped) -> None:
    """It comes to its end; how soon, on a machine that has other things to do, is told in the soak."""
    assert told.safe_s is not None, told
    assert told.rest_s is not None, told
