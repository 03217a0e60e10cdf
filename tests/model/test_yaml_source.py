"""What is no proper YAML is told at its place, and never hangs the reader."""

import os
import time
from pathlib import Path

import pytest

from cellctl.model import check
from cellctl.model.problems import Report
from cellctl.model.secrets import Secret
from cellctl.model.yaml_source import EVENTS_MAX, read

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "line", "column", "code", "hint"),
    [
        ("", 1, 1, "E110", "cellctl: 1"),
        ("- a\n- b\n", 1, 1, "E110", "cellctl: 1"),
        ("just a text", 1, 1, "E110", "cellctl: 1"),
        ("a: caf\xe9\n".encode("latin-1"), 1, 7, "E102", "UTF-8"),
        ("a: 1\n".encode("utf-16"), 1, 1, "E102", "UTF-8"),
        ("a: x\0y\n", 1, 1, "E109", "cannot be seen"),
        ("a:\n\tb: 1\n", 2, 1, "E103", "two spaces"),
        ("a:\n  b: 1\n  \tc: 1\n", 3, 3, "E103", "two spaces"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "E107", "line 1"),
        ("a: {b: 1, b: 2}\n", 1, 11, "E107", "remove one"),
        ("a: 1\n---\nb: 1\n", 2, 1, "E106", "---"),
        (BOMB, 1, 4, "E105", "extends"),
        ("a: &a [*a]\n", 1, 4, "E105", "extends"),
        ("a: {b: 1}\n<<: {c: 1}\n", 2, 1, "E105", "write the values out"),
        ("a: .nan\n", 1, 4, "E108", "finite"),
        ("a: -.inf\n", 1, 4, "E108", "finite"),
        ("a: 1e999\n", 1, 4, "E108", "smaller"),
        ("a: 1\n? [b]\n: 2\n", 2, 3, "E113", "key: value"),
        ("a: 1\n? \n: 2\n", 2, 2, "E113", "key: value"),
        ("a: !!python/object:os.system x\n", 1, 4, "E112", "!secret"),
        ("a: b: c\n", 1, 5, "E109", "quotes"),
        ("a:\n  b\n    c: 1\n", 2, 3, "E109", "write 'b:'"),
        ("a:\n  b\n\n    c: 1\n", 2, 3, "E109", "write 'b:'"),
        ("a:\n  b: 1\n  c\n  d: 1\n", 3, 3, "E109", "write 'c:'"),
        ("a:\n  b: 1\n  c  # why\n  d: 1\n", 3, 3, "E109", "write 'c:'"),
        ("a:\n  b {c: 1, d: 2}\n", 2, 3, "E109", "write 'b:'"),
        ("a: {b: Do this: open it, c: 1}\n", 1, 15, "E109", "quotes around a text"),
        ("a: {b: 1,\n    c: Do this: open it}\n", 2, 15, "E109", "quotes around a text"),
        ("a: {b: 1 c: 2}\n", 1, 11, "E109", "a ',' between"),
        ("a: [1, 2\nb: 3\n", 2, 2, "E109", "bracket"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "E109", "same column"),
        ('a: "x\nb: 1\n', 1, 4, "E109", "close the quotes"),
        ('a: "\\d"\n', 1, 6, "E109", "backslash"),
        ("a: @x\n", 1, 4, "E109", "quotes"),
        ("a: " + "[" * 30_000, 1, 20, "E104", "flatter"),
        ("a: 0\n" + "".join(f"k{n}: {n}\n" for n in range(EVENTS_MAX)), 9999, 8, "E104", "smaller"),
        ("a: '" + "x" * (1 << 20) + "'\n", 1, 1, "E104", "smaller"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_text_that_is_not_yaml(tmp_path: Path, content: str | bytes, line: int, column: int, code: str, hint: str):
    file = tmp_path / "cell.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    report = Report()
    started = time.monotonic()
    document = read(file, tmp_path, report)
    assert time.monotonic() - started < 10
    assert document is None
    first = report.problems[0]
    assert (first.line, first.column, first.code) == (line, column, code)
    assert hint in first.hint


def test_every_scalar_is_read_as_yaml_1_2(tmp_path: Path):
    text = "a: 0x1F\nb: 0o17\nc: 007\nd: '8'\ne: no\nf: ~\ng:\nh: 1e3\ni: true\nj: 12:30\nx-k: 1\nl: !secret plc\n"
    (tmp_path / "f.yaml").write_text(text)
    document = read(tmp_path / "f.yaml", tmp_path, Report())
    assert document is not None
    assert document.data == {
        "a": 31, "b": 15, "c": 7, "d": "8", "e": "no", "f": None, "g": None, "h": 1000.0, "i": True, "j": "12:30",
        "l": Secret("plc"),
    }  # fmt: skip
    assert document.at("c").raw == "007"


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    document = read(tmp_path / "f.yaml", tmp_path, Report())
    assert document is not None
    assert document.data == {"a": 1}


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path):
    cell = tmp_path / "cell"
    cell.mkdir()
    (tmp_path / "elsewhere.yaml").write_text("a: 1\n")
    (cell / "cell.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    (told,) = check(cell).problems
    assert (told.code, told.line) == ("E111", 1)
    assert "copy" in told.hint


def test_a_link_that_leads_to_itself_is_not_followed(tmp_path: Path):
    (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")
    report = Report()
    assert read(tmp_path / "a.yaml", tmp_path, report) is None
    assert report.problems[0].code in ("E101", "E111")


def test_a_pipe_is_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "cell.yaml")
    report = Report()
    assert read(tmp_path / "cell.yaml", tmp_path, report) is None
    assert report.problems[0].code == "E101"
