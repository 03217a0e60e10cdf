"""Backups: whole while the cell writes, without secrets unless asked for, and restored whole or not at all."""

import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from cellctl.core.signal import Quality, Sample, Signal
from cellctl.model.check import find_cell
from cellctl.records import ARCHIVE_FOLDER, HISTORY_FILE, JOURNAL_FILE, Records
from cellctl.runtime.archive import moving
from cellctl.runtime.clock import Clock
from cellctl.runtime.history import History
from cellctl.upkeep import restore as restore_module
from tests.cli.terminal import Result, run
from tests.records.made import change, counted, made, snapshot, told, write

SECRET = b"canary-of-a-secret"
KEY = b"-----BEGIN PRIVATE KEY-----\ncanary-of-a-key\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A cell with its state folder: archives, history, certificates, secrets, a log, a socket."""
    folder = tmp_path / "bm1"
    shutil.copytree(find_cell("battery-module"), folder, ignore=shutil.ignore_patterns("__pycache__"))
    state = folder / ".cellctl"
    write(state, [entry for number in range(1, 11) for entry in made(number)])
    write(state, [*counted(200), snapshot(parts=10), *made(11)])
    for _ in moving(state, time.time_ns()):
        pass
    known = Signal("plc.air_pressure", "float", "bar")
    history = History(state, {known.id: known}, Clock())
    history.put([Sample(known.id, 6.1, Quality.GOOD, time.time_ns(), time.time_ns())])
    history.close()
    files = {
        "secrets/plc_pw": SECRET,
        "pki/own/key.pem": KEY,
        "pki/own/certificate.der": b"ours",
        "pki/trusted/plc.der": b"theirs",
        "control.log": b"a log\n",
        "recorder/1.span": b"a span",
        "users.json": b"{}",
    }
    for name, content in files.items():
        path = state / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(content)
        path.chmod(0o600)
    return folder


@pytest.fixture
def file(cell: Path, tmp_path: Path) -> Path:
    target = tmp_path / "bm1.backup"
    result = run("backup", str(target), "--cell", str(cell))
    assert result.code == 0, result.err
    return target


def names(file: Path) -> set[str]:
    with zipfile.ZipFile(file) as inside:
        return set(inside.namelist())


def everything(file: Path) -> bytes:
    with zipfile.ZipFile(file) as inside:
        return b"".join(inside.read(name) for name in inside.namelist())


def restored(file: Path, tmp_path: Path, *more: str) -> Result:
    return run("restore", str(file), "--cell", str(tmp_path / "new"), "--state", str(tmp_path / "var"), *more)


def test_a_backup_holds_what_a_cell_needs_and_no_secret(file: Path) -> None:
    kept = names(file)
    assert {"manifest.json", "cell/cell.yaml", "state/journal.db", "state/history.db", "state/users.json"} <= kept
    assert "state/pki/trusted/plc.der" in kept
    assert any(name.startswith("state/archive/journal-") for name in kept)
    assert not [name for name in kept if "own" in name or "secrets" in name or "log" in name or "span" in name]
    assert b"canary" not in everything(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


def test_what_is_secret_is_told_and_goes_along_if_asked_for(cell: Path, tmp_path: Path) -> None:
    (cell / "profiles" / "site.pem").write_bytes(KEY)
    result = run("backup", str(tmp_path / "a.backup"), "--cell", str(cell))
    assert "state/secrets/plc_pw" in result.err
    assert "state/pki/own/key.pem" in result.err
    assert "cell/profiles/site.pem" in result.err
    assert b"canary" not in everything(tmp_path / "a.backup")
    result = run("backup", "make", str(tmp_path / "b.backup"), "--cell", str(cell), "--with-keys")
    assert "keep it as safe as this computer" in result.err
    assert {"state/secrets/plc_pw", "state/pki/own/key.pem", "cell/profiles/site.pem"} <= names(tmp_path / "b.backup")
    assert restored(tmp_path / "b.backup", tmp_path).code == 0
    key = tmp_path / "var" / "pki" / "own" / "key.pem"
    assert (key.read_bytes(), key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (KEY, 0o600, 0o700)


def test_what_was_restored_is_what_was_there(file: Path, cell: Path, tmp_path: Path) -> None:
    result = restored(file, tmp_path)
    assert result.code == 0, result.err
    new, state = tmp_path / "new", tmp_path / "var"
    assert Records(state).entries(limit=1_000) == Records(cell / ".cellctl").entries(limit=1_000)
    assert Records(state).samples("plc.air_pressure", 0, 1 << 62)[0].value == 6.1
    assert (state / "pki" / "trusted" / "plc.der").read_bytes() == b"theirs"
    texts = {path.relative_to(cell): path.read_bytes() for path in cell.rglob("*.yaml")}
    assert {path.relative_to(new): path.read_bytes() for path in new.rglob("*.yaml")} == texts
    assert run("check", str(new)).code == 0
    assert (state.stat().st_mode & 0o777, new.stat().st_mode & 0o777) == (0o700, 0o755)
    assert (state / JOURNAL_FILE).stat().st_mode & 0o777 == 0o600
    write(state, counted(1))
    assert Records(state).verify().entries == 235
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bm1", "bm1.backup", "new", "var"]


def test_a_backup_is_verified_and_says_so(file: Path) -> None:
    result = run("backup", "verify", str(file))
    assert result.code == 0, result.err
    assert "files are as they were written on" in result.out
    assert "The journal comes to the same state of the cell." in result.out
    assert "The cell's files pass the check." in result.out
    document = told(run("backup", "verify", str(file), "--json").out)
    assert (document["whole"], document["cell_errors"], document["state_compared"]) == (True, 0, True)


def test_the_state_may_lie_within_the_cell(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / ".cellctl").mkdir(parents=True)
    result = run("restore", str(file), "--cell", str(new), "--state", str(new / ".cellctl"))
    assert result.code == 0, result.err
    assert Records(new / ".cellctl").verify().entries == 234
    assert (new / "cell.yaml").is_file()


def test_files_that_do_not_pass_are_told_by_verify(cell: Path, tmp_path: Path) -> None:
    (cell / "cell.yaml").write_text("cellctl: 1\n", encoding="utf-8")
    assert run("backup", str(tmp_path / "a.backup"), "--cell", str(cell)).code == 0
    result = run("backup", "verify", str(tmp_path / "a.backup"))
    assert (result.code, "E1" in result.out + result.err) == (3, True)


_WRITES = """
import sys, time
from pathlib import Path
from cellctl.core.messages import Entry
from cellctl.runtime.ledger import Ledger, Row

ledger = Ledger(Path(sys.argv[1]))
while True:
    number = ledger.tail.sequence + 1
    ledger.write([Row(number, time.time_ns(), Entry("count", {"n": number}))])
    print(number, flush=True)
"""


def test_a_backup_beside_a_writer_is_whole(cell: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _WRITES, str(cell / ".cellctl")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        for number in range(5):
            first = int(writer.stdout.readline())
            target = tmp_path / f"{number}.backup"
            result = run("backup", str(target), "--cell", str(cell), "--json")
            assert result.code == 0, result.err
            assert told(result.out)["journal"]["entries"] >= first  # type: ignore[index]
            assert run("backup", "verify", str(target)).code == 0
        writer.kill()


def test_the_history_may_be_left_out(cell: Path, tmp_path: Path) -> None:
    assert run("backup", str(tmp_path / "a.backup"), "--cell", str(cell), "--without-history").code == 0
    assert f"state/{HISTORY_FILE}" not in names(tmp_path / "a.backup")


def test_a_link_out_of_the_folder_is_not_followed(cell: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("canary")
    (cell / "profiles" / "out.yaml").symlink_to(tmp_path / "outside")
    (cell / "profiles" / "in.yaml").symlink_to(cell / "cell.yaml")
    (cell / "all").symlink_to(tmp_path)
    result = run("backup", str(tmp_path / "a.backup"), "--cell", str(cell))
    assert "Left out: cell/profiles/out.yaml (it leads out of the folder)." in result.err
    assert "Left out: cell/all" in result.err
    assert "cell/profiles/in.yaml" in names(tmp_path / "a.backup")
    assert b"canary" not in everything(tmp_path / "a.backup")


def test_nothing_is_overwritten(file: Path, cell: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    result = run("backup", str(file), "--cell", str(cell))
    assert (result.code, result.err) == (1, f"{file} exists already.\n")
    assert file.read_bytes() == before
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine").write_text("mine")
    result = restored(file, tmp_path)
    assert (result.code, "is not empty, and nothing is overwritten" in result.err) == (1, True)
    assert not (tmp_path / "var").exists()
    (tmp_path / "new" / "mine").unlink()
    (tmp_path / "var").symlink_to(tmp_path / "new")
    assert "is not a folder" in restored(file, tmp_path).err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cell", "x/new", "--state", "var"), "there is no folder"),
        (("--cell", "new/sub", "--state", "new"), "cannot lie in its state folder"),
        (("--cell", "new", "--state", "new"), "cannot lie in its state folder"),
    ],
)
def test_folders_that_cannot_be_are_told(file: Path, words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    places = [word if word.startswith("--") else str(tmp_path / word) for word in words]
    result = run("restore", str(file), *places)
    assert (result.code, sentence in result.err) == (1, True), result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bm1", "bm1.backup"]


# --- files that somebody changed ------------------------------------------------------------------------------------

Content = dict[str, bytes]


def rewritten(file: Path, change: Callable[[Content, dict[str, Any]], None], mode: int = stat.S_IFREG | 0o600) -> None:
    """The file with other content, and a manifest that knows all of it but for what `change` does to that."""
    with zipfile.ZipFile(file) as inside:
        content = {name: inside.read(name) for name in inside.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    change(content, manifest)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if name.endswith("evil") else stat.S_IFREG | 0o600) << 16
            into.writestr(info, data)
        into.writestr("manifest.json", json.dumps(manifest))
    file.write_bytes(made.getvalue())


def named(manifest: dict[str, Any], name: str, data: bytes) -> None:
    manifest["files"].append({"name": name, "bytes": len(data), "sha256": sha256(data).hexdigest()})


def refused(file: Path, tmp_path: Path) -> str:
    """The sentence; nothing is anywhere."""
    before = sorted(tmp_path.rglob("*"))
    outside = sorted(tmp_path.parent.iterdir())
    assert run("backup", "verify", str(file)).code == 7
    result = restored(file, tmp_path)
    assert result.code == 1, result.out
    assert result.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert sorted(tmp_path.parent.iterdir()) == outside
    return result.err


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "cell/../../evil",
        "/etc/evil",
        "cell//evil",
        "cell/./evil",
        "cell\\..\\evil",
        "evil",
        "cell/a\nevil",
        "cell/" + "x" * 300 + "evil",
    ],
)
def test_names_that_lead_elsewhere_are_refused(file: Path, tmp_path: Path, name: str) -> None:
    def put(content: Content, manifest: dict[str, Any]) -> None:
        content[name] = b"evil"
        named(manifest, name, b"evil")

    rewritten(file, put)
    assert "is a name that cannot be kept" in refused(file, tmp_path)


@pytest.mark.parametrize(
    "mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600, stat.S_IFCHR | 0o600, stat.S_IFDIR | 0o700]
)
def test_what_is_no_plain_file_is_refused(file: Path, tmp_path: Path, mode: int) -> None:
    def put(content: Content, manifest: dict[str, Any]) -> None:
        content["cell/evil"] = b"/etc/passwd"
        named(manifest, "cell/evil", b"/etc/passwd")

    rewritten(file, put, mode)
    assert "is not a plain file" in refused(file, tmp_path)


def _other_bytes(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml"] = content["cell/cell.yaml"].replace(b"air", b"AIR", 1)


def _longer(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml"] += b" "


def _more(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/more.yaml"] = b""


def _less(content: Content, manifest: dict[str, Any]) -> None:
    del content["cell/cell.yaml"]


def _newer(content: Content, manifest: dict[str, Any]) -> None:
    manifest["format"] = "cellctl.backup/2"


def _foreign(content: Content, manifest: dict[str, Any]) -> None:
    manifest["format"] = "other/1"


def _both(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml/evil"] = b""
    named(manifest, "cell/cell.yaml/evil", b"")


def _other_head(content: Content, manifest: dict[str, Any]) -> None:
    manifest["journal"]["head"] = "aaaaaaaa"


def _other_state(content: Content, manifest: dict[str, Any]) -> None:
    manifest["folded"] = "0" * 64


def _no_journal(content: Content, manifest: dict[str, Any]) -> None:
    del content["state/journal.db"]
    manifest["files"] = [each for each in manifest["files"] if each["name"] != "state/journal.db"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_other_bytes, "cell/cell.yaml is not as it was written"),
        (_longer, "another size"),
        (_more, "what is in it is not what its manifest tells"),
        (_less, "what is in it is not what its manifest tells"),
        (_newer, "its format is cellctl.backup/2, this cellctl reads cellctl.backup/1: use the cellctl that wrote it"),
        (_foreign, "it is 'other/1'"),
        (_both, "'cell/cell.yaml' is a file and a folder in it"),
        (_other_head, "its journal is not the one that its manifest tells of"),
        (_other_state, "comes to another state of the cell"),
        (_no_journal, "There is no journal.db"),
    ],
)
def test_what_was_changed_is_refused(
    file: Path, tmp_path: Path, change: Callable[[Content, dict[str, Any]], None], sentence: str
) -> None:
    rewritten(file, change)
    assert sentence in refused(file, tmp_path)


@pytest.mark.parametrize("statement", ["UPDATE entry SET body = '{}' WHERE sequence = 233", "PRAGMA user_version = 9"])
def test_a_journal_that_was_changed_with_all_hashes_is_refused(file: Path, tmp_path: Path, statement: str) -> None:
    def alter(content: Content, manifest: dict[str, Any]) -> None:
        path = tmp_path / "journal.db"
        path.write_bytes(content["state/journal.db"])
        change(path, statement)
        content["state/journal.db"] = path.read_bytes()
        path.unlink()
        for each in manifest["files"]:
            if each["name"] == "state/journal.db":
                data = content["state/journal.db"]
                each |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}

    rewritten(file, alter)
    sentence = refused(file, tmp_path)
    assert "entry 233 of its journal is not as it was written" in sentence or "has format 9" in sentence


def test_a_file_cut_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        refused(file, tmp_path)
    file.write_bytes(whole[:5_000] + bytes(200) + whole[5_200:])
    refused(file, tmp_path)
    assert run("backup", "verify", str(tmp_path / "none")).err.startswith("There is no ")


def test_a_broken_journal_is_backed_up_as_it_is_and_told(cell: Path, tmp_path: Path) -> None:
    change(cell / ".cellctl" / JOURNAL_FILE, "UPDATE entry SET body = '{}' WHERE sequence = 232")
    target = tmp_path / "broken.backup"
    result = run("backup", str(target), "--cell", str(cell))
    assert (result.code, "The journal that was copied is not whole" in result.err) == (7, True)
    assert run("backup", "verify", str(target)).code == 7
    assert restored(target, tmp_path).code == 0
    with closing(sqlite3.connect(tmp_path / "var" / JOURNAL_FILE)) as database:
        assert database.execute("SELECT body FROM entry WHERE sequence = 232").fetchone() == ("{}",)


def test_one_folder_that_cannot_be_placed_leaves_none(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = restore_module._placed

    def fails(staged: Path, target: Path, *, mode: int) -> None:
        if target.name == "new":
            raise OSError(16, "Device or resource busy")
        place(staged, target, mode=mode)

    monkeypatch.setattr(restore_module, "_placed", fails)
    result = restored(file, tmp_path)
    assert (result.code, "Device or resource busy" in result.err) == (1, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bm1", "bm1.backup"]


def test_an_archive_that_is_away_is_told(cell: Path, tmp_path: Path) -> None:
    shutil.rmtree(cell / ".cellctl" / ARCHIVE_FOLDER)
    target = tmp_path / "a.backup"
    result = run("backup", str(target), "--cell", str(cell))
    assert (result.code, "Entries 1 to 230 were archived" in result.err) == (0, True)
    assert run("backup", "verify", str(target)).code == 0


def test_without_a_cell_or_its_state_there_is_nothing_to_back_up(cell: Path, tmp_path: Path) -> None:
    target = str(tmp_path / "a.backup")
    assert run("backup", target, "--cell", str(tmp_path / "none")).code == 3
    assert run("backup", target, "--cell", str(cell), "--state", str(tmp_path)).code == 4
    assert not os.path.exists(target)
