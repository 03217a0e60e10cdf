"""Backups: whole while the cell writes, without secrets unless asked for, and restored whole or not at all."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cellctl.records import ARCHIVE_FOLDER, HISTORY_FILE, JOURNAL_FILE, Records
from cellctl.upkeep import restore as restore_module
from tests.cli.terminal import run
from tests.records.made import change, counted, told, write
from tests.upkeep.secret import KEY, restored


def names(file: Path) -> set[str]:
    with zipfile.ZipFile(file) as inside:
        return set(inside.namelist())


def everything(file: Path) -> bytes:
    with zipfile.ZipFile(file) as inside:
        return b"".join(inside.read(name) for name in inside.namelist())


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
    assert "A cell begins from it: Aborted, jobs: 1, parts in process: 0." in result.out
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


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow beyond 20 kB: as a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing_behind(file: Path, cell: Path, tmp_path: Path, small_disk: None) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    result = run("backup", str(tmp_path / "more.backup"), "--cell", str(cell))
    assert (result.code, result.out, "mistake" in result.err) == (1, "", False), result.err
    result = restored(file, tmp_path)
    assert (result.code, result.out, "mistake" in result.err) == (1, "", False), result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


_KILLED = """
import sys
from cellctl.cli import main

sys.argv = ["cellctl", "restore", sys.argv[1], "--cell", sys.argv[2], "--state", sys.argv[2] + "/.cellctl"]
main()
"""


def test_a_kill_at_any_moment_leaves_all_or_nothing(file: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    for number in range(14):
        argv = [sys.executable, "-c", _KILLED, str(file), str(new)]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as restoring:
            time.sleep(0.1 + number * 0.04)
            restoring.kill()
        if new.exists():
            assert Records(new / ".cellctl").verify().entries == 234
            assert (new / "cell.yaml").is_file()
            shutil.rmtree(new)
    assert restored(file, tmp_path).code == 0
