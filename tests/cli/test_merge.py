"""A list is laid beside a profile that a person wrote: what is new is added, and nothing is lost."""

import os
from pathlib import Path

import pytest

from cellctl.cli.terminal import FAILED, INVALID, USAGE
from cellctl.commission.draft import problems_beside
from tests.cli.samples import LISTS, PRESS, passes, rows, written
from tests.cli.terminal import run

MINE = """cellctl: 1
profile: {id: press, version: 3, protocol: modbus}  # ours
signals:  # by hand
  # the clamp, not the ram
  clamp_force: {type: int, unit: N, read: "holding 0x0A uint16", write: "holding 10 uint16", range: 0..5000}
  force: {type: float, unit: kN, read: "input 12 float32"}   # see p. 31
  lamp: {type: bool, read: "coil 99"}

  # the door
  door: {type: bool, read: "holding 29 bit 3"}
commands:
  open: {write: {"coil 20": true}, timeout: 3 s, class: level}  # slowly
"""


def test_what_is_new_is_shown_and_written_only_when_asked_for(tmp_path: Path) -> None:
    file, mine = written(tmp_path / "press.csv", PRESS), written(tmp_path / "press.yaml", MINE)
    shown = run("import", "csv", str(file), "--into", str(mine))
    assert shown.code == 0, shown.err
    assert mine.read_text() == MINE
    changes = [line for line in shown.out.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    assert [line.split(":")[0] for line in changes] == ["+  temperature", "+  guard_closed", "+  serial", "+  heater"]
    assert "Nothing is written yet: --write" in shown.err
    assert "force: unit is kN here, N in the list; it stays." in shown.err
    assert "lamp is not in the list; it stays." in shown.err
    assert "clamp_force is not" not in shown.err
    assert run("import", "csv", str(file), "--into", str(mine), "--write").code == 0
    new = mine.read_text().splitlines()
    assert [line for line in new if line not in changes and f"+{line}" not in changes] == MINE.splitlines()
    assert new.index("commands:") == len(new) - 2
    passes(mine)
    again = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert (again.code, again.out) == (0, "")
    assert "has all of them already" in again.err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    mine = written(tmp_path / "press.yaml", MINE)
    file = written(tmp_path / "a.csv", "name,address,type\nram,30013,float32\nforce,40077,\nopen,40078,\n")
    shown = run("import", "csv", str(file), "--into", str(mine))
    assert "+  force_2:" in shown.out
    assert "+  open_2:" in shown.out
    assert "force is the name of another signal: the new one is force_2." in shown.err


def test_the_ends_of_lines_stay_as_they_are(tmp_path: Path) -> None:
    mine = tmp_path / "press.yaml"
    mine.write_bytes(MINE.replace("\n", "\r\n").encode())
    file = written(tmp_path / "a.csv", "name,address\nnew,40090\n")
    assert run("import", "csv", str(file), "--into", str(mine), "--write").code == 0
    content = mine.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") == MINE.count("\n") + 1


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}\r\nsignals:\n  a: {s}\n# end", "{}\r\nsignals:\n  a: {s}\n{n}\n# end"),
        ("{}\nsignals:\n  a: {s}\r\n\n", "{}\nsignals:\n  a: {s}\r\n{n}\r\n\n"),
        ("{}\rsignals:\r  a: {s}\r", "{}\rsignals:\r  a: {s}\r{n}\r"),
        ("{}\r\nsignals:\r\n  a: {s}", "{}\r\nsignals:\r\n  a: {s}\r\n{n}\r\n"),
        ("{}\r\n", "{}\r\nsignals:\r\n{n}\r\n"),
        ("{}", "{}\nsignals:\n{n}\n"),
        ("{}\r\nsignals: {{}}  # none\r\n", "{}\r\nsignals:  # none\r\n{n}\r\n"),
    ],
)
def test_every_line_keeps_its_end(tmp_path: Path, before: str, after: str) -> None:
    head, mine = "profile: {id: p, version: 1, protocol: modbus}\ncellctl: 1", tmp_path / "p.yaml"
    old, new = '{type: bool, read: "coil 9"}', '  new: {type: int, read: "holding 89 uint16"}'
    mine.write_bytes(before.format(head, s=old).encode())
    file = written(tmp_path / "a.csv", "name,address\nnew,40090\n")
    shown = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert shown.code == 0, shown.err
    assert mine.read_bytes() == after.format(head, s=old, n=new).encode()


def test_a_signal_that_has_moved_is_told_and_not_added_twice(tmp_path: Path) -> None:
    mine = written(tmp_path / "press.yaml", MINE)
    file = written(tmp_path / "a.csv", "name,address,type\nforce,30015,float32\nclamp force,40011,int16\n")
    shown = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert (shown.code, shown.out, mine.read_text()) == (0, "", MINE)
    assert "force: read is 'input 12 float32' here, 'input 14 float32' in the list; it stays." in shown.err
    assert "clamp_force: read is 'holding 0x0A uint16' here, 'holding 10 int16' in the list; it stays." in shown.err


@pytest.mark.parametrize("signals", ["", "signals: {}\n", "signals: {}  # none yet\n"])
def test_a_profile_without_signals_gets_some(tmp_path: Path, signals: str) -> None:
    head = "cellctl: 1\nprofile: {id: press, version: 3, protocol: modbus}\n"
    mine = written(tmp_path / "press.yaml", head + signals)
    assert run("import", "csv", str(written(tmp_path / "a.csv", PRESS)), "--into", str(mine), "--write").code == 0
    assert len(rows(mine.read_text().replace("signals:  #", "signals:\n#"))) == 7
    passes(mine)


def test_a_profile_that_extends_another_of_its_cell(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    written(tmp_path / "profiles" / "press.yaml", MINE)
    heir = "cellctl: 1\nprofile: {id: heir, version: 1, protocol: modbus, extends: press}\n"
    heir += 'signals:\n    mine: {type: bool, read: "coil 7"}\n'
    mine = written(tmp_path / "profiles" / "heir.yaml", heir)
    file = written(tmp_path / "a.csv", "name,address,type\nforce,30013,float32\nnew,40090,int16\n")
    shown = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert shown.code == 0, shown.err
    assert mine.read_text() == heir + '    new: {type: int, read: "holding 89 int16"}\n'


def test_what_else_lies_beside_the_profiles_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    (folder / "old.yaml").mkdir(parents=True)
    (folder / "manual").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    mine = written(folder / "press.yaml", MINE)
    file = written(tmp_path / "a.csv", "name,address\nnew,40090\n")
    shown = run("import", "csv", str(file), "--into", str(folder / "other.yaml"), "--write")
    assert (shown.code, (folder / "other.yaml").exists()) == (0, True), shown.err
    (folder / "gone.yaml").symlink_to(tmp_path / "nowhere.yaml")
    assert problems_beside(mine, MINE) == ()


def test_nodes_are_compared_with_their_namespace(tmp_path: Path) -> None:
    head = 'cellctl: 1\nprofile: {id: press, version: 3, protocol: opcua}\nopcua: {namespace: "urn:example:press"}\n'
    mine = written(tmp_path / "p.yaml", head + 'signals:\n  ram: {type: float, unit: N, read: "i=6101"}\n')
    shown = run("import", "nodeset", str(LISTS / "press.nodeset.xml"), "--into", str(mine), "--write")
    assert "ram: unit is N here, kN in the list; it stays." in shown.err
    assert "ram can be written, says the list: write: 'i=6101 Double'" in shown.err
    assert '  state: {type: int, read: "s=Press.State"}' in mine.read_text()
    assert "6101 Double" not in mine.read_text()


def test_names_of_nodes_are_compared_to_the_letter(tmp_path: Path) -> None:
    head = 'cellctl: 1\nprofile: {id: p, version: 1, protocol: opcua}\nopcua: {namespace: "urn:a"}\nsignals:\n'
    mine = written(tmp_path / "p.yaml", head + '  a: {type: int, read: "s=My A"}\n')
    file = written(tmp_path / "a.csv", "name,address,type\nx,ns=urn:a;s=My A,int16\ny,ns=urn:a;s=my a,int16\n")
    shown = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert mine.read_text().endswith('read: "s=My A"}\n  y: {type: int, read: "s=my a"}\n'), shown.err


def test_a_new_profile_is_written_if_asked_for(tmp_path: Path) -> None:
    file, new = written(tmp_path / "a.csv", PRESS), tmp_path / "new.yaml"
    assert run("import", "csv", str(file), "--into", str(new)).code == 0
    assert not new.exists()
    assert run("import", "csv", str(file), "--into", str(new), "--write").code == 0
    assert "id: new" in new.read_text()
    passes(new)


@pytest.mark.parametrize(
    ("mine", "code", "told"),
    [
        (MINE.replace("modbus}", "serial}"), INVALID, ""),
        ("cellctl: 1\nprofile: {id: p, version: 1, protocol: serial}\n", INVALID, "is of the protocol serial"),
        (MINE.replace("signals:  # by hand", "signal:"), INVALID, "must pass the check before"),
        ('cellctl: 1\nprofile: {id: p, version: 1, protocol: modbus}\nsignals: {a: {type: bool, read: "coil 9"}}\n',
         INVALID, "write each signal on a line of its own"),
    ],
)  # fmt: skip
def test_a_profile_that_cannot_take_more_stays_as_it_is(tmp_path: Path, mine: str, code: int, told: str) -> None:
    path = written(tmp_path / "press.yaml", mine)
    shown = run("import", "csv", str(written(tmp_path / "a.csv", PRESS)), "--into", str(path), "--write")
    assert (shown.code, told in shown.err) == (code, True), shown.err
    assert path.read_text() == mine


def test_what_would_make_a_profile_wrong_is_not_written(tmp_path: Path) -> None:
    mine = written(tmp_path / "press.yaml", MINE)
    file = written(tmp_path / "a.csv", "name,address,type\noverlap,30014,float32\n")
    shown = run("import", "csv", str(file), "--into", str(mine), "--write")
    assert (shown.code, "would not pass the check: nothing is written" in shown.err) == (INVALID, True), shown.err
    assert mine.read_text() == MINE


def test_write_needs_a_place(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", PRESS)
    assert run("import", "csv", str(file), "--write").code == USAGE
    shown = run("import", "csv", str(file), "--into", str(tmp_path / "no" / "p.yaml"), "--write")
    assert (shown.code, "cannot be written" in shown.err) == (FAILED, True)
