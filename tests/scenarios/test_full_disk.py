"""A disk that is really full while parts are made: a small file system of its own under the state folder."""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.scenarios.processes import cellctl, running, settled, shown, until, wait

SIZE = "100m"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder on a file system of 100 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield disk / "state"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(path: Path) -> None:
    """Leave no byte free."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(65_536)) == 65_536:
            pass
        while file.write(b"\0"):
            pass


def test_the_cell_holds_says_so_and_goes_on_when_there_is_space_again(state: Path) -> None:
    with running(state, "--http", "off", "--speed", "3"):
        settled(state)
        cellctl(state, "changeover", "module-8s", "--yes")
        cellctl(state, "job", "add", "module-8s", "2", "--id", "j")
        cellctl(state, "reset")
        cellctl(state, "start")
        assert (state / "ballast").exists()
        filler = state.parent / "filler"
        fill(filler)
        wait(lambda: shown(state)["state"] == "Held", 30)
        first = shown(state)["why"][0]
        assert (first["id"], first["text"]) == ("system.journal_full", "The disk of the controller is full")
        assert "Free space on it" in first["do"]
        assert any(alarm["id"] == "system.journal_full" for alarm in shown(state)["alarms"])
        filler.unlink()
        wait(lambda: (state / "ballast").exists(), 30)
        wait(lambda: "This is over" in shown(state)["why"][0]["text"])
        cellctl(state, "unhold", "--no-wait")
        until(state, "Completed", 90)
        assert shown(state)["counts"] == {"good": 2, "reject": 0}
    assert "are whole" in cellctl(state, "journal", "verify")
