"""Trust on the command line: a device that encrypts is refused, looked at, trusted, and read."""

import asyncio
import io
import json
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cellctl.cli.terminal import FAILED, INTERRUPTED, UNREACHABLE
from cellctl.pki import Pki, thumbprint
from tests.cli.terminal import run
from tests.drivers.opcua_secure import URI, Identity, Press

PROFILE = f"""\
cellctl: 1
profile: {{id: press, version: 1, protocol: opcua}}
identify: {{namespace: "{URI}"}}
opcua: {{namespace: "{URI}", publishing: 50 ms}}
signals:
  force: {{type: int, read: "s=Force", write: "s=Force Int16", verify: 0}}
"""


class Stage:
    """A press that runs in a thread of its own, and the cell with it."""

    def __init__(self, folder: Path) -> None:
        self.cell = folder / "cell"
        self.press = Press(folder / "press")
        (self.cell / "profiles").mkdir(parents=True)
        (self.cell / "profiles" / "press.yaml").write_text(PROFILE)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.start()

    def start(self) -> None:
        """Have the press run, with a certificate of its own; the cell knows where."""
        self._ending, started = asyncio.Event(), threading.Event()

        async def serve() -> None:
            async with self.press.running():
                started.set()
                await self._ending.wait()

        self._served = asyncio.run_coroutine_threadsafe(serve(), self._loop)
        assert started.wait(20)
        device = f'press: {{profile: press, at: "opc.tcp://127.0.0.1:{self.press.port}"}}'
        text = f"cellctl: 1\ncell: {{id: c, name: Cell}}\ndevices:\n  {device}\n"
        (self.cell / "cell.yaml").write_text(text)

    def stop(self) -> None:
        """Have it run no more."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._served.result(20)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    made = Stage(tmp_path)
    monkeypatch.chdir(made.cell)
    yield made
    made.close()


def test_a_device_is_trusted_and_then_another_answers(stage: Stage) -> None:
    shown = run("io", "read", "press")
    assert shown.code == UNREACHABLE
    assert "type: cellctl cert trust press" in shown.err
    listed = run("cert", "list").out
    print_before = thumbprint(stage.press.certificate)
    assert f"rejected  press   {print_before}" in listed
    assert listed.splitlines()[1].startswith("own")

    no = run("cert", "trust", "press", stdin="n\n")
    assert (no.code, print_before in no.err) == (INTERRUPTED, True)
    assert run("io", "read", "press").code == UNREACHABLE
    yes = run("cert", "trust", "press", stdin="y\n")
    assert (yes.code, yes.out) == (0, "press is trusted. The cell connects by itself.\n")
    assert run("io", "read", "press.force").out.splitlines()[1].split() == ["force", "7", "good"]
    assert run("io", "write", "press.force", "12", "--yes").code == 0

    stage.stop()
    stage.start()
    changed = run("io", "read", "press")
    assert changed.code == UNREACHABLE
    assert "shows another certificate than the one that was trusted" in changed.err
    by_name = run("cert", "trust", "press", "--yes")
    assert (by_name.code, "another certificate of press is trusted already" in by_name.err) == (FAILED, True)
    assert thumbprint(stage.press.certificate) in by_name.err
    assert run("io", "read", "press").code == UNREACHABLE
    again = run("cert", "trust", thumbprint(stage.press.certificate).replace(" ", ":").lower(), "--yes")
    assert (again.code, f"instead of:  {print_before}" in again.err) == (0, True), again.err
    assert run("io", "read", "press").code == 0


def test_what_to_type_works_from_where_one_is(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run("io", "read", "press", "--cell", str(stage.cell))
    assert shown.err.rstrip().endswith("type: cellctl cert trust press"), "the cell is here"
    elsewhere = tmp_path / "my cells"
    (elsewhere / ".cellctl").mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    shown = run("io", "read", "press", "--cell", "../cell")
    typed = shlex.split(shown.err.partition("type: cellctl ")[2])
    assert typed == ["cert", "trust", "press", "--state", str(stage.cell / ".cellctl")]
    assert run(*typed, "--yes").code == 0
    assert run("io", "read", "press", "--cell", "../cell").code == 0


def test_a_device_in_no_cell_is_trusted_too(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(stage.cell / "profiles" / "press.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    here = f"127.0.0.1:{stage.press.port}"  # by this it is told from all others that are in no cell
    device = ("--profile", "press.yaml", "--at", f"opc.tcp://{here}")
    assert f"type: cellctl cert trust {here}" in run("io", "read", *device).err
    assert run("cert", "trust", here, "--yes").out == f"{here} is trusted.\n"
    assert run("io", "read", *device).code == 0


def test_own_certificate_is_renewed(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    pki = Pki(tmp_path / "state" / "pki")
    before = pki.own().certificate.read_bytes()
    assert run("cert", "renew", "--state", state, stdin="n\n").code == INTERRUPTED
    assert pki.own().certificate.read_bytes() == before
    renewed = run("cert", "renew", "--state", state, "--yes")
    after = thumbprint(pki.own().certificate.read_bytes())
    assert renewed.out == f"{pki.own().certificate}  {after}\n"
    (own,) = json.loads(run("cert", "list", "--json", "--state", state).out)["certificates"]
    assert (own["place"], own["thumbprint"], own["device"]) == ("own", after, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("list",), "There is no state folder here. Name it with --state."),
        (("list", "--state", "nowhere"), "There is no state folder nowhere."),
        (("trust", "press", "--state", "."), "No device waits to be trusted."),
    ],
)
def test_what_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run("cert", *words)
    assert (shown.code, told in shown.err) == (FAILED, True), shown.err


def test_an_unknown_name_is_told_with_those_there_are(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    pki.reject("press", pki.own().certificate.read_bytes())
    shown = run("cert", "trust", "pres", "--state", str(tmp_path))
    assert (shown.code, "press" in shown.err) == (FAILED, True), shown.err


class Answer(io.StringIO):
    """A person who says yes; before that, while it is compared, a device connects and shows another certificate."""

    def __init__(self, pki: Pki, shown: bytes) -> None:
        super().__init__("y\n")
        self._pki, self._shown = pki, shown

    def readline(self, size: int | None = -1, /) -> str:
        self._pki.reject("press", self._shown)
        return super().readline(-1 if size is None else size)


def test_only_what_a_person_looked_at_is_trusted(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    looked_at, another = (Identity().write(tmp_path / name)[0].read_bytes() for name in ("a", "b"))
    pki.reject("press", looked_at)
    shown = run("cert", "trust", "press", "--state", str(tmp_path), stdin=Answer(pki, another))
    assert thumbprint(looked_at) in shown.err
    told = f"Nothing was trusted: press shows another certificate meanwhile, with the thumbprint {thumbprint(another)}."
    assert (shown.code, told in shown.err) == (FAILED, True), shown.err
    assert pki.trusted("press") is None
    assert run("cert", "trust", "press", "--state", str(tmp_path), stdin="y\n").code == 0
    assert pki.trusted("press") == another


def test_an_empty_list_says_when_there_will_be_some(tmp_path: Path) -> None:
    shown = run("cert", "list", "--state", str(tmp_path))
    assert (shown.code, shown.out) == (0, "")
    assert "They come with the first device that encrypts." in shown.err
