"""Devices are asked what they have: simulated ones in another process, one that speaks by itself, a strange one."""

import json
import os
import pty
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cellctl.cli.terminal import FAILED, INTERRUPTED, UNREACHABLE, USAGE, sentence
from cellctl.driver import AddressError, Device, Link
from cellctl.model import drivers
from tests.cli.samples import passes
from tests.cli.terminal import run, terminal
from tests.drivers.opcua_secure import BASIC, NONE, Press

START_S = 60


class Web(socketserver.BaseRequestHandler):
    """What a web server says to those who do not speak as it does."""

    def handle(self) -> None:
        self.request.recv(64)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Odd:
    """A driver of somebody else, who never thought of browsing."""

    def __init__(self, device: Device) -> None:
        if not device.address.startswith("odd:"):
            raise AddressError(f"{device.address!r} begins no address of this protocol", ("at",))

    async def run(self, link: Link) -> None:
        """Nothing is ever connected."""


def test_a_server_is_shown_and_its_draft_works_at_once(places: Mapping[str, str], tmp_path: Path) -> None:
    shown = run("browse", "--at", places["plc"])
    assert shown.code == 0, shown.err
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()[1:]}
    assert rows["Cell.AirPressure"][:3] == ["Double", "r", "6.1"]
    assert rows["Weld.Clamp"][:2] == ["Boolean", "rw"]
    drafted = run("browse", "--at", places["plc"], "--yaml")
    assert drafted.code == 0, drafted.err
    profile = tmp_path / "plc.yaml"
    profile.write_text(drafted.out)
    assert run("check", str(profile), "--strict").code == 0
    assert 'write: "s=Weld.Clamp Boolean"' in drafted.out
    read = run("io", "read", "air_pressure", "--profile", str(profile), "--at", places["plc"])
    assert (read.code, read.out.splitlines()[1].split()) == (0, ["air_pressure", "6.1", "good"])


def test_a_draft_is_shown_first_and_then_written_into_a_file(places: Mapping[str, str], tmp_path: Path) -> None:
    profile = tmp_path / "plc.yaml"
    words = ("browse", "--at", places["plc"], "--into", str(profile))
    shown = run(*words)
    assert (shown.code, profile.exists()) == (0, False), shown.err
    assert "+  id: plc\n" in shown.out
    assert "Nothing is written yet" in shown.err
    assert run(*words, "--write").code == 0
    assert run("check", str(profile), "--strict").code == 0
    lines = profile.read_text().splitlines(True)
    kept = [line for line in lines if "Cell.AirPressure" not in line]
    profile.write_text("# ours\n" + "".join(kept))
    again = run(*words, "--write")
    assert again.code == 0, again.err
    added = [line for line in again.out.splitlines() if line.startswith("+ ")]
    assert (len(added), "Cell.AirPressure" in added[0]) == (1, True)
    assert profile.read_text().startswith("# ours\n")
    assert "has all of them already" in run(*words).err


async def test_a_server_that_only_encrypts_is_browsed_once_it_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Press(tmp_path / "a", policies=(BASIC,)).running() as press:
        at = f"opc.tcp://127.0.0.1:{press.port}"
        first = await terminal("browse", "--at", at)
        assert (first.code, first.out) == (UNREACHABLE, "")
        assert "shows a certificate with the thumbprint" in first.err
        assert f"type: cellctl cert trust 127.0.0.1:{press.port}\n" in first.err
        bare = await terminal("browse", "--at", at, "--set", "security=none")
        assert "remove `security: none`" in bare.err
        assert (await terminal("cert", "trust", f"127.0.0.1:{press.port}", "--yes")).code == 0
        second = await terminal("browse", "--at", at)
    assert second.code == 0, second.err
    assert any(line.split()[:4] == ["Force", "Int16", "rw", "7"] for line in second.out.splitlines())


async def test_a_server_elsewhere_that_cannot_encrypt_is_browsed_if_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cellctl_drivers.opcua.security._is_local", lambda profile: False)
    async with Press(tmp_path / "a", policies=(NONE,)).running() as press:
        at = f"opc.tcp://127.0.0.1:{press.port}"
        refused = await terminal("browse", "--at", at)
        assert (refused.code, "`--set security=none`" in refused.err) == (UNREACHABLE, True), refused.err
        shown = await terminal("browse", "--at", at, "--set", "security=none")
    assert (shown.code, "Force" in shown.out) == (0, True), shown.err


def test_registers_that_answer_are_drafted(places: Mapping[str, str], tmp_path: Path) -> None:
    shown = run("browse", "--at", places["meter"], "--range", "input:0-20", "--range", "input:344-360")
    assert shown.code == 0, shown.err
    assert any(line.startswith("input 344..360") for line in shown.out.splitlines()), "the same is shown once"
    drafted = run(
        "browse",
        "--at",
        places["meter"],
        "--range",
        "input:0-20",
        "--yaml",
        "--set",
        "min_pause=1 ms",
        "--id",
        "my meter",
    )
    profile = tmp_path / "meter.yaml"
    profile.write_text(drafted.out)
    assert 'input_20: {type: int, read: "input 20 uint16"}' in drafted.out
    assert 'modbus: {min_pause: "1 ms"}' in drafted.out
    assert "  id: my-meter\n" in drafted.out
    passes(profile)


def test_a_profile_says_how_the_device_is_asked(places: Mapping[str, str]) -> None:
    shown = run("browse", "--profile", "robotiq.2f85", "--at", places["grip"], "--range", "input:2000-2002", "--json")
    document = json.loads(shown.out)
    assert (shown.code, document["schema"]) == (0, "cellctl.browse/1")
    assert [each["path"] for each in document["findings"]] == ["input 2000", "input 2001", "input 2002"]
    assert document["findings"][0]["row"] == {"type": "int", "read": "input 2000 uint16"}


def test_a_device_of_a_cell_is_named(places: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "cell.yaml").write_text(
        "cellctl: 1\ncell: {id: c, name: C}\n"
        f'devices:\n  meter: {{profile: eastron.sdm630, at: "{places["meter"]}"}}\n'
    )
    shown = run("browse", "meter", "--cell", str(tmp_path), "--range", "input:0-1")
    assert (shown.code, len(shown.out.splitlines())) == (0, 3), shown.err
    assert run("browse", "metre", "--cell", str(tmp_path)).code == USAGE


def test_a_device_that_waits_to_be_asked_is_not_asked(places: Mapping[str, str]) -> None:
    shown = run("browse", "--at", places["laser"], "--listen", "300 ms")
    assert (shown.code, shown.out) == (0, "")
    assert "speaks only when it is asked" in shown.err
    drafted = run("browse", "--at", places["laser"], "--listen", "300 ms", "--yaml")
    assert (drafted.code, "Nothing was found that could be a signal." in drafted.err) == (FAILED, True)


@pytest.fixture
def scale() -> Iterator[str]:
    """The serial port of a balance that says its weight all the time."""
    ours, theirs = pty.openpty()
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(0.1):
            os.write(ours, b"S S     12.50 kg\r\n")

    thread = threading.Thread(target=speak)
    thread.start()
    yield f"serial:{os.ttyname(theirs)}?baud=9600"
    ended.set()
    thread.join()
    os.close(ours)
    os.close(theirs)


def test_what_a_device_says_by_itself_becomes_a_signal(scale: str, tmp_path: Path) -> None:
    drafted = run("browse", "--at", scale, "--listen", "1 s", "--yaml")
    assert drafted.code == 0, drafted.err
    profile = tmp_path / "scale.yaml"
    profile.write_text(drafted.out.replace("signals:", 'line: {end: "\\r\\n"}\nsignals:'))
    passes(profile)
    shown = run("io", "watch", "heard_1", "--profile", str(profile), "--at", scale, "--for", "1 s")
    assert "12.5 kg  good" in shown.out


def test_what_was_heard_before_ctrl_c_is_shown(scale: str) -> None:
    argv = [sys.executable, "-m", "cellctl.cli", "browse", "--at", scale, "--listen", "60 s"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "listening" in process.stderr.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED, err
    assert "  S S     12.50 kg  (heard " in out
    assert "there may be more" in err


def test_a_driver_that_cannot_browse_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = EntryPoint("odd", f"{__name__}:Odd", drivers.GROUP)
    known = {**drivers._installed(), "odd": odd}
    monkeypatch.setattr(drivers, "_installed", lambda: known)
    shown = run("browse", "--at", "odd:1")
    assert (shown.code, shown.out) == (FAILED, "")
    assert shown.err.startswith("The driver for odd cannot ask a device what it has.")
    assert "cellctl import csv" in shown.err


@pytest.mark.parametrize("at", ["opc.tcp://127.0.0.1:9", "modbus://127.0.0.1:9", "opc.tcp://localhost:9"])
def test_that_nothing_listens_is_said_once(at: str) -> None:
    shown = run("browse", "--at", at)
    place = at.partition("//")[2]
    assert (shown.code, shown.err) == (UNREACHABLE, f"cannot reach device at {place}: nothing listens there.\n")


def test_a_port_that_speaks_otherwise_is_no_device_that_is_switched_off(places: Mapping[str, str]) -> None:
    place = places["robot"].partition("//")[2].partition("?")[0]
    shown = run("browse", "--at", f"opc.tcp://{place}")
    assert shown.code == UNREACHABLE
    assert shown.err.startswith(f"something listens at {place}, but it says no word of OPC UA.\n")
    with socketserver.TCPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.handle_request).start()
        port = server.server_address[1]
        shown = run("browse", "--at", f"opc.tcp://127.0.0.1:{port}")
    assert shown.err.startswith(f"something listens at 127.0.0.1:{port}, but it does not speak OPC UA.\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("is it switched on?", "is it switched on?"),
        ("it hung up", "it hung up."),
        ("it hung up.", "it hung up."),
        ("Nobody has. If it is, type: cellctl cert trust plc", "Nobody has. If it is, type: cellctl cert trust plc"),
    ],
)
def test_a_sentence_ends_once(text: str, told: str) -> None:
    assert sentence(text) == told


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--at", "opc.tcp://127.0.0.1:9"), UNREACHABLE, "cannot reach device at 127.0.0.1:9"),
        (("--at", "htp://127.0.0.1"), USAGE, "--at: no installed driver knows"),
        (
            ("--at", "modbus://127.0.0.1:9", "--range", "hold"),
            USAGE,
            "--range: 'hold' is not of the form holding:0-200",
        ),
        (("--at", "modbus://127.0.0.1:9", "--set", "x"), USAGE, "'x' is not KEY=VALUE"),
        (("--at", "modbus://127.0.0.1:9", "--set", "timeot=1 s"), USAGE, "--set: the key 'timeot' is not known"),
        (("--at", "modbus://127.0.0.1:9", "--yaml", "--json"), USAGE, "do not go together"),
        (("--at", "modbus://127.0.0.1:9", "--write"), USAGE, "--write needs --into"),
        (("--at", "serial:/dev/null", "--range", "holding"), USAGE, "--range: a line has no ranges"),
        (("--listen", "5"), USAGE, "a time needs a unit"),
        (("--profile", "eastron.sdm630"), USAGE, "--profile and --at go together"),
    ],
)
def test_what_cannot_be_asked_is_told(words: tuple[str, ...], code: int, told: str) -> None:
    shown = run("browse", *words)
    assert (shown.code, shown.out, told in shown.err) == (code, "", True), shown.err
