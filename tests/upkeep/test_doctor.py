"""The doctor: what is wrong is found and says what to do; what is well is told; nothing is changed."""

import os
import pickle
import pty
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from cellctl.core.messages import Entry
from cellctl.model.check import check, find_cell
from cellctl.pki import Pki
from cellctl.records import ARCHIVE_FOLDER, HISTORY_FILE, JOURNAL_FILE
from cellctl.runtime.archive import moving
from cellctl.upkeep import doctor as doctor_module
from cellctl.upkeep.doctor import Finding, Place, examined
from cellctl.upkeep.doctor import computer as computer_module
from cellctl.upkeep.doctor import devices as devices_module
from cellctl.upkeep.doctor import records as records_module
from tests.cli.terminal import run
from tests.drivers.opcua_secure import Identity
from tests.records.made import change, counted, snapshot, told, write

NOBODY = 65534

CELL = """
cellctl: 1
cell: {{id: press, name: Press}}
devices:
  press: {{profile: press, at: "serial:{port}?baud=9600"}}
"""
PROFILE = """
cellctl: 1
profile: {id: press, version: 1, protocol: serial}
identify: none
line: {end: "\\r\\n", timeout: 300 ms}
signals:
  force: {type: float, unit: N, read: "F?", reply: "F(?P<value>[0-9.]+)"}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / ".cellctl"
    write(folder, counted(1_500), begin_ns=time.time_ns() - 1_500_000_000_000)
    return folder


@pytest.fixture
def port() -> Iterator[str]:
    """A serial port of this computer."""
    controller, end = pty.openpty()
    tty.setraw(end)
    yield os.ttyname(end)
    os.close(controller)
    os.close(end)


@pytest.fixture
def cell(tmp_path: Path, port: str) -> Path:
    folder = tmp_path / "press"
    (folder / "profiles").mkdir(parents=True)
    (folder / "cell.yaml").write_text(CELL.format(port=port).lstrip())
    (folder / "profiles" / "press.yaml").write_text(PROFILE.lstrip())
    return folder


def place(state: Path, cell: Path | None = None) -> Place:
    checked = check(cell) if cell else None
    return Place(state, "off", cell, checked.model if checked else None, checked.problems if checked else ())


def found(place: Place, about: str) -> list[Finding]:
    return [each for each in examined(place) if each.about == about]


def one(place: Place, about: str) -> Finding:
    (finding,) = found(place, about)
    assert finding.level == "ok" or finding.do
    return finding


def as_nobody(look: Callable[[], list[Finding]]) -> list[Finding]:
    """What a user finds who has no rights; in a child, which ends with that."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(writing, pickle.dumps(look()))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    result: list[Finding] = pickle.loads(told)
    return result


def test_a_computer_that_is_well_says_so_and_nothing_is_changed(state: Path, cell: Path) -> None:
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    result = run("doctor", str(cell), "--state", str(state), "--http", "127.0.0.1:0")
    assert result.code == 0, result.out
    for line in (
        "ok       packages: ",
        f"ok       state folder: {state} can be written",
        "ok       lock: no cell runs on it",
        "ok       disk speed: a commit takes",
        "ok       journal: 1,500 entries; the last 1,000 are whole",
        f"ok       files: the files in {cell} pass the check",
        "ok       port of press: /dev/pts/",
        "ok       page: 127.0.0.1:0 is free",
    ):
        assert line in result.out
    left = {path.name: path.read_bytes() for path in state.iterdir() if not path.name.startswith("journal.db-")}
    assert left == before


def test_the_document_tells_the_same(state: Path, cell: Path) -> None:
    document = told(run("doctor", str(cell), "--state", str(state), "--json", "--http", "off").out)
    assert document["schema"] == "cellctl.doctor/1"
    findings = document["findings"]
    assert isinstance(findings, list)
    assert {"level": "ok", "about": "lock", "text": "no cell runs on it", "do": ""} in findings


def test_without_a_cell_the_computer_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("doctor", "--http", "off")
    assert result.code == 0, result.out
    assert "there is none yet; the first run makes .cellctl" in result.out
    assert list(tmp_path.iterdir()) == []
    assert run("doctor", "nowhere").code == 3


def test_libraries_that_do_not_fit_are_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["click>=8.5,<9", "click<8", "no-such-thing>=1", "structlog~=20.1", "fastapi>=99; extra == 'web'"]
    monkeypatch.setattr(computer_module.metadata, "requires", lambda name: wanted)
    finding = one(place(state), "packages")
    assert finding.level == "error"
    assert "no-such-thing is missing" in finding.text
    assert finding.text.count("is wanted") == 2


def test_real_time_that_is_not_permitted_is_a_warning(state: Path) -> None:
    (finding,) = as_nobody(lambda: list(computer_module.real_time(place(state))))
    assert (finding.level, "not permitted" in finding.text) == ("warning", True)
    assert "LimitRTPRIO" in finding.do


def test_the_clock_is_asked_of_the_kernel(state: Path) -> None:
    finding = one(place(state), "clock")
    assert "synchronised" in finding.text


def test_a_state_folder_for_all_to_see_is_a_warning(state: Path) -> None:
    state.chmod(0o755)
    finding = one(place(state), "state folder")
    assert (finding.level, finding.do) == ("warning", f"chmod 700 {state}.")


def test_a_state_folder_of_another_is_an_error() -> None:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        locked = Path(name) / "locked"
        locked.mkdir(mode=0o500)
        (finding,) = as_nobody(lambda: list(records_module.folder(place(locked))))
        assert (finding.level, "this user may not write" in finding.text) == ("error", True)
        locked.chmod(0o555)
        (finding,) = as_nobody(lambda: list(records_module.folder(place(locked / "new"))))
        assert (finding.level, "cannot be made" in finding.text) == ("error", True)
        locked.chmod(0)
        told = [each for each in as_nobody(lambda: list(examined(place(locked / "in")))) if each.about == "lock"]
        assert [(each.level, "may not look at" in each.text) for each in told] == [("error", True)]


def test_a_folder_in_memory_is_a_warning() -> None:
    folder = Path("/dev/shm") / f"cellctl-doctor-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        finding = one(place(folder), "state folder")
    finally:
        shutil.rmtree(folder)
    assert (finding.level, "lies in memory (tmpfs)" in finding.text) == ("warning", True)


_HOLDS = """
import sys, time
from pathlib import Path
from cellctl.runtime.folder import claimed

with claimed(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


def test_a_cell_that_runs_is_told(state: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS, str(state)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert one(place(state), "lock").text == f"a cell runs on it (process {holder.pid})"
        assert found(Place(state, "127.0.0.1:1"), "page") == []
        holder.kill()


def test_a_disk_that_is_nearly_full_or_slow_is_told(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "_FREE_WARN", 1.1)
    assert one(place(state), "disk").level == "warning"
    monkeypatch.setattr(records_module, "_FREE_ERROR_BYTES", 1 << 60)
    assert one(place(state), "disk").level == "error"
    monkeypatch.setattr(records_module, "_SLOW_S", 0.0)
    assert one(place(state), "disk speed").level == "warning"
    monkeypatch.setattr(records_module, "_HOLDS_S", 0.0)
    assert one(place(state), "disk speed").level == "error"


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE entry SET body = '{}' WHERE sequence = 1400", "entry 1,400 is not as it was written"),
        ("DELETE FROM entry WHERE sequence = 1300", "entry 1,301 is not as it was written"),
        ("PRAGMA user_version = 9", "has format 9"),
    ],
)
def test_a_journal_that_is_damaged_is_an_error(state: Path, statement: str, text: str) -> None:
    change(state / JOURNAL_FILE, statement)
    finding = one(place(state), "journal")
    assert (finding.level, text in finding.text) == ("error", True)
    assert "cellctl journal verify" in finding.do
    assert run("doctor", "--state", str(state), "--http", "off").code == 1


def test_files_that_are_none_are_errors(state: Path) -> None:
    (state / HISTORY_FILE).write_bytes(b"nothing" * 1_000)
    assert one(place(state), "history").level == "error"
    (state / JOURNAL_FILE).write_bytes(b"nothing" * 1_000)
    assert one(place(state), "journal").level == "error"


def test_an_archive_that_is_away_is_a_warning(state: Path) -> None:
    write(state, [snapshot()])
    for _ in moving(state, time.time_ns() + 10**12):
        pass
    assert found(place(state), "archives") == []
    shutil.rmtree(state / ARCHIVE_FOLDER)
    assert one(place(state), "archives").text == "entries 1 to 1,500 were archived, and their archive is not here"


def test_a_clock_that_was_set_is_told(state: Path) -> None:
    write(state, [Entry("clock", {"step_ns": -3_000_000_000})], begin_ns=time.time_ns() - 10**9)
    finding = one(place(state), "time")
    assert (finding.level, finding.text) == ("warning", "the clock was set 1 times in the last day, by up to 3.0 s")
    write(state, counted(1), begin_ns=time.time_ns() + 3_600_000_000_000)
    finding = one(place(state), "time")
    assert (finding.level, "the clock is behind" in finding.text) == ("error", True)


def test_files_with_mistakes_are_an_error(state: Path, cell: Path) -> None:
    (cell / "cell.yaml").write_text("cellctl: 1\n")
    finding = one(place(state, cell), "files")
    assert (finding.level, finding.do) == ("error", f"cellctl check {cell}")


def test_serial_ports_that_are_not_there_or_not_for_us_are_errors(state: Path, cell: Path, port: str) -> None:
    os.chmod(port, 0)
    here = place(state, cell)
    (finding,) = as_nobody(lambda: list(devices_module.serial_ports(here)))
    assert (finding.level, "this user may not open" in finding.text) == ("error", True)
    assert "usermod -aG" in finding.do
    (cell / "cell.yaml").write_text(CELL.format(port="/dev/ttyUSB77").lstrip())
    finding = one(place(state, cell), "port of press")
    assert (finding.level, finding.text) == ("error", "/dev/ttyUSB77 is not there")
    result = run("doctor", str(cell), "--state", str(state), "--http", "off")
    assert result.code == 1


def test_what_is_simulated_needs_no_port(state: Path) -> None:
    bundled = find_cell("battery-module")
    assert len([each for each in found(place(state, bundled), "port of grip") if each.level == "error"]) == 1
    result = run("doctor", "battery-module", "--sim", "all", "--state", str(state), "--http", "off")
    assert result.code == 0, result.out
    assert "port of" not in result.out


def test_a_busy_port_is_an_error(state: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        finding = one(Place(state, address), "page")
    assert (finding.level, "in use by another program" in finding.text) == ("error", True)


def test_certificates_that_end_soon_or_have_ended_are_told(state: Path, tmp_path: Path) -> None:
    pki = Pki(state / "pki")
    for device, days in (("soon", 10.0), ("ended", -0.5), ("well", 300.0)):
        der = Identity(end_days=days).write(tmp_path / device)[0].read_bytes()
        pki.reject(device, der)
        pki.trust(device, der)
    told = {each.text: each.level for each in found(place(state), "certificates")}
    assert told["the certificate of soon ends in 9 days"] == "warning"
    assert [level for text, level in told.items() if text.startswith("the certificate of ended has expired")] == [
        "error"
    ]
    assert len(told) == 2
    pki.reject("new", Identity().write(tmp_path / "new")[0].read_bytes())
    assert "new showed a certificate that nobody has trusted" in {e.text for e in found(place(state), "certificates")}


def test_secrets_that_are_missing_or_for_all_to_see_are_errors(state: Path, cell: Path) -> None:
    text = (cell / "cell.yaml").read_text().replace('baud=9600"', 'baud=9600", user: !secret press_user')
    (cell / "cell.yaml").write_text(text)
    assert "press_user is not on this machine" in one(place(state, cell), "secrets").text
    secret = state / "secrets" / "press_user"
    secret.parent.mkdir()
    secret.write_text("me")
    secret.chmod(0o644)
    assert one(place(state, cell), "secrets").do == f"chmod 600 {secret}"
    secret.chmod(0o600)
    assert one(place(state, cell), "secrets").level == "ok"


UNITS = [
    ("loaded", "failed", "0", "enabled", "error"),
    ("loaded", "active", "3", "enabled", "warning"),
    ("loaded", "active", "0", "disabled", "warning"),
    ("loaded", "active", "0", "enabled", "ok"),
]


@pytest.mark.parametrize(("load", "active", "restarts", "enabled", "level"), UNITS)
def test_the_unit_of_the_cell_is_told(
    state: Path,
    cell: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    load: str,
    active: str,
    restarts: str,
    enabled: str,
    level: str,
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(
        f"#!/bin/sh\necho LoadState={load}; echo ActiveState={active}; echo SubState=x; echo NRestarts={restarts};"
        f" echo UnitFileState={enabled}; test $2 = cellctl@press.service\n"
    )
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert one(place(state, cell), "unit").level == level
    systemctl.write_text("#!/bin/sh\necho LoadState=not-found\n")
    assert found(place(state, cell), "unit") == []


def test_a_look_that_fails_costs_no_other(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_look(place: Place) -> list[Finding]:
        raise ValueError("odd")

    monkeypatch.setattr(doctor_module, "LOOKS", (broken_look, records_module.lock))
    assert [(each.level, each.about) for each in examined(place(state))] == [("error", "broken look"), ("ok", "lock")]


def test_the_doctor_reads_beside_a_writer(state: Path) -> None:
    with closing(sqlite3.connect(state / JOURNAL_FILE)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert one(place(state), "journal").level == "ok"
