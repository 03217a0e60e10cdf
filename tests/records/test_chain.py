"""`cellctl journal verify`: whatever is changed, removed, exchanged or cut off is found, and the first of it named."""

import random
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from cellctl.core.messages import Entry
from cellctl.records import JOURNAL_FILE, Records, RecordsError
from cellctl.records.chain import chained, head_bytes, head_of, verified
from tests.cli.terminal import run
from tests.records.made import change, counted, told, write

COUNT = 300


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / ".cellctl"
    write(folder, counted(COUNT))
    return folder


def head_now(state: Path) -> str:
    return str(told(run("journal", "verify", "--state", str(state), "--json").out)["head"])


def test_a_whole_journal_is_told_with_its_head(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.parent)
    result = run("journal", "verify")
    assert result.code == 0, result.err
    head = head_now(state)
    assert result.out == f"All 300 entries are whole, from 1 to 300.\nhead: {head}  entries: 300\n"
    assert len(head) == 8


def test_a_journal_alone_is_still_listed(state: Path) -> None:
    result = run("journal", "--state", str(state), "--limit", "2", "--kind", "count")
    assert [line.split()[0] for line in result.out.splitlines()] == ["299", "300"]
    assert run("journal", "--state", str(state), "verify").code == 0


def test_a_head_that_was_told_proves_that_nothing_was_cut_off_since(state: Path) -> None:
    head = head_now(state)
    write(state, counted(20))
    result = run("journal", "verify", "--state", str(state), "--head", f"{head[:4].upper()} {head[4:]}")
    assert result.code == 0, result.err
    assert result.out.startswith("Entry 300 has this head; 20 came after it.\n")
    assert run("journal", "verify", "--state", str(state), "--head", head, "--entries", "300").code == 0
    wrong = run("journal", "verify", "--state", str(state), "--head", head, "--entries", "299")
    assert (wrong.code, wrong.err.splitlines()[0]) == (7, "The head is that of entry 300, not that of entry 299.")


def test_a_cut_tail_is_found_by_the_head_and_by_nothing_else(state: Path) -> None:
    head = head_now(state)
    change(state / JOURNAL_FILE, "DELETE FROM entry WHERE sequence > 280")
    assert run("journal", "verify", "--state", str(state)).code == 0
    result = run("journal", "verify", "--state", str(state), "--head", head)
    assert (result.code, result.err.splitlines()[0]) == (
        7,
        "No entry has this head: entries were cut off or changed since it was told.",
    )
    result = run("journal", "verify", "--state", str(state), "--head", head, "--entries", "300")
    assert result.err.splitlines()[0] == "There are 280 entries, and there were 300: the last ones were cut off."


def test_a_chain_that_was_computed_anew_is_found_by_the_head(state: Path) -> None:
    head = head_now(state)
    with sqlite3.connect(state / JOURNAL_FILE) as database:
        database.execute("UPDATE entry SET body = '{\"n\":7}' WHERE sequence = 290")
        (previous,) = database.execute("SELECT hash FROM entry WHERE sequence = 289").fetchone()
        for row in database.execute("SELECT * FROM entry WHERE sequence > 289").fetchall():
            previous = chained(previous, *row[1:4])
            database.execute("UPDATE entry SET hash = ? WHERE sequence = ?", (previous, row[0]))
    database.close()
    assert run("journal", "verify", "--state", str(state)).code == 0
    result = run("journal", "verify", "--state", str(state), "--head", head, "--entries", "300")
    assert (result.code, "Entry 300 has another head" in result.err) == (7, True)


@pytest.mark.parametrize(
    ("changes", "broken_at"),
    [
        (["UPDATE entry SET body = '{\"n\":9}' WHERE sequence = 30"], 30),
        (["UPDATE entry SET kind = 'state' WHERE sequence = 31"], 31),
        (["UPDATE entry SET time_ns = time_ns + 1 WHERE sequence = 32"], 32),
        (["UPDATE entry SET hash = x'00' WHERE sequence = 33"], 33),
        (["UPDATE entry SET body = x'7b7d' WHERE sequence = 34"], 34),
        (["DELETE FROM entry WHERE sequence = 35"], 35),
        (["DELETE FROM entry WHERE sequence < 36"], 1),
        (["UPDATE entry SET sequence = sequence - 1000 WHERE sequence < 36"], 1),
        (["UPDATE entry SET sequence = -sequence WHERE sequence IN (40, 50)"], 40),
        (
            [
                "UPDATE entry SET sequence = 1000 WHERE sequence = 60",
                "UPDATE entry SET sequence = 60 WHERE sequence = 61",
                "UPDATE entry SET sequence = 61 WHERE sequence = 1000",
            ],
            60,
        ),
        (["INSERT INTO entry SELECT 301, time_ns, kind, body, hash FROM entry WHERE sequence = 300"], 301),
        (
            [
                "UPDATE entry SET sequence = -sequence - 1 WHERE sequence > 70",
                "UPDATE entry SET sequence = -sequence WHERE sequence < 0",
                "INSERT INTO entry SELECT 71, time_ns, kind, body, hash FROM entry WHERE sequence = 70",
            ],
            71,
        ),
        (["UPDATE origin SET sequence = 5"], 6),
        (["UPDATE origin SET hash = x'01'"], 1),
        (["DELETE FROM origin"], 1),
        (["INSERT INTO origin VALUES (0, x'')"], 1),
    ],
)
def test_what_was_changed_is_found_and_the_first_of_it_named(state: Path, changes: list[str], broken_at: int) -> None:
    change(state / JOURNAL_FILE, *changes)
    result = run("journal", "verify", "--state", str(state), "--json")
    document = told(result.out)
    assert (result.code, document["whole"], document["broken_at"]) == (7, False, broken_at)
    assert f"Entry {broken_at} in journal.db is not as it was written" in result.err
    assert "cellctl restore" in result.err


def test_a_bit_that_flipped_is_found_or_changed_no_entry(state: Path, tmp_path: Path) -> None:
    whole = (state / JOURNAL_FILE).read_bytes()
    entries = Records(state).entries(limit=COUNT)
    flipped = tmp_path / "flipped"
    flipped.mkdir()
    dice = random.Random(1)
    found = 0
    for _ in range(400):
        at = dice.randrange(len(whole) * 8)
        damaged = bytearray(whole)
        damaged[at // 8] ^= 1 << at % 8
        (flipped / JOURNAL_FILE).write_bytes(damaged)
        try:
            verdict = verified(flipped)
        except RecordsError:
            found += 1
            continue
        if verdict.reason:
            found += 1
        else:
            assert Records(flipped).entries(limit=COUNT + 1) == entries, f"bit {at}"
            assert len(Records(flipped).entries(kind="count", limit=COUNT + 1)) == COUNT, f"bit {at}"
        for left in flipped.glob("*-*"):
            left.unlink()
    assert found > 200, "most of the file is used"


def test_an_index_that_finds_too_little_is_found(state: Path) -> None:
    with sqlite3.connect(state / JOURNAL_FILE) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("DELETE FROM sqlite_master WHERE name = 'entry_kind'")
        database.execute("PRAGMA writable_schema = OFF")
    database.close()
    result = run("journal", "verify", "--state", str(state))
    assert result.code == 7
    assert "journal.db is damaged: SQLite says of the file" in result.err
    assert "The entries themselves are whole." in result.err


def test_a_file_that_is_none_and_a_folder_without_one_are_sentences(state: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("journal", "verify", "--state", str(tmp_path / "empty"))
    assert (result.code, result.err) == (4, f"No cell ever ran on the state folder {tmp_path / 'empty'}.\n")
    (state / JOURNAL_FILE).write_bytes(b"no database" * 1000)
    result = run("journal", "verify", "--state", str(state))
    assert (result.code, "cannot be read: file is not a database." in result.err) == (7, True)


@pytest.mark.parametrize("letters", ["short", "morethaneight", "abcdefg1", "äbcdefgh"])
def test_letters_that_are_no_head_are_a_usage_error(state: Path, letters: str) -> None:
    result = run("journal", "verify", "--state", str(state), "--head", letters)
    assert (result.code, "is not a head" in result.err) == (2, True)
    assert run("journal", "verify", "--state", str(state), "--entries", "3").code == 2


def test_a_head_is_the_beginning_of_a_hash() -> None:
    hash = chained(b"", 1, "count", "{}")
    assert hash.startswith(head_bytes(head_of(hash)))


def test_the_chain_is_whole_while_it_grows(state: Path, tmp_path: Path) -> None:
    write(state, [Entry("odd", {"text": "žluť 炉 \u0000 \n"})])
    copy = tmp_path / "copy"
    shutil.copytree(state, copy)
    assert verified(copy).entries == 301
    assert verified(copy).reason == ""


def test_a_hundred_thousand_entries_take_less_than_three_seconds(tmp_path: Path) -> None:
    write(tmp_path, counted(100_000))
    begin = time.process_time()
    assert verified(tmp_path).entries == 100_000
    assert time.process_time() - begin < 3.0
