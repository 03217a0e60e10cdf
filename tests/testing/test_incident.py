"""Incidents: the recorded is replayed to the same effects, and a test of it fails until the cell's files are mended."""

import asyncio
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cellctl.cli.incident import incident as command
from cellctl.core.messages import Outcome, Write
from cellctl.model import find_cell
from cellctl.runtime.tape import encoded
from cellctl.testing import Incident, IncidentError, Setup, VirtualLoop, cell_model, on_bench
from cellctl.testing.incident.orders import PATIENCE_NS, Orders
from cellctl.testing.incident.recording import recorded, write

AIR = "need: plc.air_pressure > 5.2 bar"
PATIENT = "need: not (plc.air_pressure <= 5.2 bar for 1 s)"
HASTY = "need: not (plc.air_pressure <= 5.2 bar for 100 ms)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cell, and air.incident: while it made parts, the pressure was low for 300 ms."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(find_cell("battery-module"), folder / "cell", ignore=shutil.ignore_patterns("__pycache__"))

    async def fly() -> None:
        async with on_bench(Setup(cell_model(folder / "cell"), folder / "state", record=True)) as cell:
            await cell.produce("module-8s", 3)
            await cell.clock.advance("30 s")
            cell.faults("set", "plc.air_pressure", "300 ms", to=5.0)
            await cell.clock.until("Held", limit="5 s")
            await cell.clock.advance("5 s")

    (folder / "state").mkdir()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(fly())
    write(folder / "air.incident", recorded(folder / "state", 10**12))
    return folder


@pytest.fixture
def air(site: Path) -> Incident:
    return Incident.read(site / "air.incident")


@pytest.fixture
def mended(site: Path, tmp_path: Path) -> Iterator[Any]:
    """Writes the cell with another interlock, and gives its folder."""

    def mend(need: str) -> Path:
        shutil.copytree(site / "cell", tmp_path / "cell", dirs_exist_ok=True)
        file = tmp_path / "cell" / "cell.yaml"
        text = (site / "cell" / "cell.yaml").read_text(encoding="utf-8")
        assert AIR in text
        file.write_text(text.replace(AIR, need), encoding="utf-8")
        return tmp_path / "cell"

    return mend


def test_a_replay_has_the_recorded_effects(air: Incident) -> None:
    replayed = air.replay()
    assert replayed.difference is None
    assert replayed.turns == air.turns > 300
    assert [(one.kind, one.id) for one in replayed.happened] == [("hold", "air")]
    assert replayed.happened == air.happened
    assert air.remarks == []
    assert air.view(replayed).state == "Stopped", "the bench was shut down"


def test_a_replay_stops_where_it_is_told(air: Incident) -> None:
    hold = air.happened[0]
    assert air.view(air.replay(until=air.at(hold.time_ns))).state == "Holding"
    before = air.replay(until=air.at(hold.time_ns - 1_000_000))
    assert air.view(before).state == "Execute"
    assert before.happened == []
    assert before.cell.image.read("plc.air_pressure").value > 5.2  # type: ignore[operator]


def test_a_told_time_holds_what_was_then(site: Path, tmp_path: Path) -> None:
    head, snapshot, *turns = lines(site)
    first = json.loads(head)["now"]
    found = Incident.read(packed(tmp_path / "x", head, snapshot, *turns))
    for later_ns, told in (
        (0, "+0.000 s"),
        (1, "+0.001 s"),
        (10_566_000_000, "+10.566 s"),
        (10_566_000_001, "+10.567 s"),
    ):
        assert found.at(first + later_ns) == told
        assert found.time_ns(told) >= first + later_ns


def test_it_is_gone_when_it_is_mended_and_not_before(air: Incident, mended: Any) -> None:
    at = air.at(air.happened[0].time_ns)
    with pytest.raises(AssertionError, match=r"It happens again: hold air at .*\nAir pressure is too low"):
        air.assert_gone("hold", "air", at=at)
    air.assert_gone("hold", "air", at=at, cell=mended(PATIENT))
    with pytest.raises(AssertionError, match="It happens again"):
        air.assert_gone("hold", "air", at=at, cell=mended(HASTY))


def test_a_mended_cell_goes_on_with_the_recorded_answers(air: Incident, mended: Any) -> None:
    hold_ns = air.happened[0].time_ns
    replayed = air.replay(cell=mended(PATIENT), until=air.at(hold_ns + 1_000_000_000))
    assert replayed.difference is not None
    assert replayed.difference.time_ns == hold_ns
    assert any('"interlock":"air"' in line for line in replayed.difference.recorded)
    assert air.view(replayed).state == "Execute"
    assert replayed.happened == []


def test_a_recording_that_is_cut_off_is_used_as_far_as_it_goes(site: Path, tmp_path: Path) -> None:
    whole = (site / "air.incident").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) * 2 // 3])
    cut = Incident.read(tmp_path / "cut")
    assert cut.remarks == [f"After {cut.at(cut.end_ns)} it cannot be read: it is cut off. What is before is used."]
    replayed = cut.replay()
    assert replayed.difference is None
    assert 50 < replayed.turns < Incident.read(site / "air.incident").turns


def test_a_recording_that_ends_before_its_moment_proves_nothing(site: Path, tmp_path: Path, air: Incident) -> None:
    whole = (site / "air.incident").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    at = air.at(air.happened[0].time_ns)
    with pytest.raises(
        IncidentError, match=rf"The recording ends at \+.* s, before {re.escape(at)}\. After .* it is cut off"
    ):
        Incident.read(tmp_path / "cut").assert_gone("hold", "air", at=at)


def test_a_recording_that_is_damaged_is_used_up_to_there(site: Path, tmp_path: Path) -> None:
    whole = bytearray((site / "air.incident").read_bytes())
    whole[len(whole) * 2 // 3] ^= 0xFF
    (tmp_path / "ill").write_bytes(whole)
    ill = Incident.read(tmp_path / "ill")
    assert "it is damaged" in ill.remarks[0] or "cannot be read" in ill.remarks[0]
    assert ill.replay(until="+5 s").difference is None


def lines(site: Path) -> list[str]:
    return gzip.decompress((site / "air.incident").read_bytes()).decode().splitlines()


def packed(path: Path, *told: str) -> Path:
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in told).encode()))
    return path


def test_a_recording_of_another_version_is_told_and_used(site: Path, tmp_path: Path) -> None:
    head, *rest = lines(site)
    other = json.dumps({**json.loads(head), "product": "9.1", "format": "cellctl.recording/2", "colour": "red"})
    found = Incident.read(packed(tmp_path / "other", other, *rest))
    assert "in the format cellctl.recording/2; this cellctl reads cellctl.recording/1" in found.remarks[0]
    assert "recorded by cellctl 9.1" in found.remarks[1]
    assert found.replay().difference is None
    unknown = Incident.read(packed(tmp_path / "unknown", head, *rest[:100], '[1,[["smell","oven"]],[]]', *rest[100:]))
    assert unknown.turns == 99
    assert "nothing that can happen" in unknown.remarks[0]


def test_a_file_that_is_no_recording_is_told(tmp_path: Path) -> None:
    for name, data in (("text", b"hello"), ("empty", b""), ("other", gzip.compress(b'{"format": "zip"}\n'))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(IncidentError, match="is not a recording of a cell"):
            Incident.read(tmp_path / name)
    with pytest.raises(IncidentError, match="cannot be read: No such file"):
        Incident.read(tmp_path / "nothing")
    with pytest.raises(IncidentError, match="Nothing is recorded in"):
        recorded(tmp_path, 1)


def test_a_recording_writes_nowhere_else(site: Path, tmp_path: Path) -> None:
    head, *rest = lines(site)
    evil = json.dumps({**json.loads(head), "files": {"../../evil.py": "x"}})
    with pytest.raises(IncidentError, match="outside of a cell"):
        Incident.read(packed(tmp_path / "evil", evil, *rest)).replay()
    without = json.dumps({**json.loads(head), "files": {}})
    with pytest.raises(IncidentError, match="holds no files of a cell"):
        Incident.read(packed(tmp_path / "without", without, *rest)).replay()
    wrong = json.dumps({**json.loads(head), "files": {"cell.yaml": "cell: 3"}})
    with pytest.raises(IncidentError, match=r"not valid for this cellctl:\ncell\.yaml"):
        Incident.read(packed(tmp_path / "wrong", wrong, *rest)).replay()


def test_what_is_between_spans_is_told(site: Path, tmp_path: Path) -> None:
    head, snapshot, *turns = lines(site)
    first = json.loads(head)
    gap = json.dumps({**first, "turn": 60, "now": first["now"] + 10**9})
    found = Incident.read(packed(tmp_path / "gap", head, snapshot, *turns[:50], gap, snapshot, *turns[50:60]))
    assert "nothing was recorded" in found.remarks[0]
    assert found.replay().turns == 60
    anew = json.dumps({**first, "run_ns": 5, "now": first["now"] + 10**9})
    found = Incident.read(packed(tmp_path / "anew", head, snapshot, *turns[:50], anew, snapshot, *turns[:50]))
    assert found.remarks == ["At +1.000 s the cell was started anew."]
    assert found.replay().difference is None


def test_an_order_that_the_recording_does_not_know_is_answered_as_the_last_of_its_kind() -> None:
    from cellctl.core.messages import Done

    orders = Orders()
    orders.note(0, [Write(1, "a.b", 1, 9)], [Write(1, "a.b", 1, 9)])
    assert orders.answer(Done(1, Outcome.REFUSED, reason="busy")) == Done(1, Outcome.REFUSED, reason="busy")
    orders.note(5, [], [Write(2, "a.b", 1, 9), Write(3, "c.d", 1, 9)])
    assert list(orders.overdue(4 + PATIENCE_NS)) == []
    assert list(orders.overdue(5 + PATIENCE_NS)) == [
        Done(2, Outcome.REFUSED, reason="busy"),
        Done(3, Outcome.CONFIRMED),
    ]
    assert orders.answer(Done(77, Outcome.CONFIRMED)) is None
    orders.note(9, [Write(8, "a.b", 1, 9)], [])
    orders.note(10, [], [Write(4, "a.b", 1, 9)])
    assert orders.answer(Done(8, Outcome.CONFIRMED)) == Done(4, Outcome.CONFIRMED)


# --- by the command line ----------------------------------------------------------------------------------------


def cli(*words: object) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words])


def test_export_writes_one_file_and_never_over_another(site: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.incident"
    done = cli("export", target, "--state", site / "state")
    assert done.exit_code == 0, done.output
    assert "hold  air  Hold in Execute, because of air" in done.output
    assert Incident.read(target).turns == Incident.read(site / "air.incident").turns
    assert str(cli("export", target, "--state", site / "state").exception) == f"{target} exists already."
    assert "Nothing is recorded" in str(cli("export", target, "--state", tmp_path).exception)
    assert "cannot be written" in str(cli("export", tmp_path / "no" / "x", "--state", site / "state").exception)
    assert cli("export", tmp_path / "y", "--state", site / "state", "--last", "soon").exit_code == 2


def test_replay_tells_what_happened_where_it_stopped_and_that_it_is_the_same(site: Path) -> None:
    done = cli("replay", site / "air.incident", "--until", "1")
    assert done.exit_code == 0, done.output
    assert "There the cell is Holding." in done.output
    assert "because: Air pressure is too low (plc.air_pressure > 5.2 bar, it is 5 bar)" in done.output
    assert "The effects are those that were recorded." in done.output
    shown = cli("replay", site / "air.incident", "--entries")
    assert '{"fulfilled": false, "interlock": "air"}' in shown.output
    told = json.loads(cli("replay", site / "air.incident", "--json").stdout)
    assert told["replayed"]["difference"] is None
    assert [one["id"] for one in told["happened"]] == ["air"]
    assert "There is no 7 of what happened" in str(cli("replay", site / "air.incident", "--until", "7").exception)
    assert "'noon' is not a time" in str(cli("replay", site / "air.incident", "--until", "noon").exception)


def test_replay_shows_where_a_mended_cell_decides_otherwise(site: Path, mended: Any) -> None:
    done = cli("replay", site / "air.incident", "--cell", mended(PATIENT))
    assert done.exit_code == 0, done.output
    assert "the cell decides otherwise:\n  recorded " in done.output
    assert "  now       nothing" in done.output
    told = json.loads(cli("replay", site / "air.incident", "--cell", mended(PATIENT), "--json").stdout)
    assert told["replayed"]["difference"]["replayed"] == []


def test_replay_fails_when_the_recorded_files_decide_otherwise(site: Path, tmp_path: Path) -> None:
    told = lines(site)
    at = next(number for number, line in enumerate(told) if '"interlock":"air","fulfilled":false' in line)
    turn = json.loads(told[at])
    told[at] = json.dumps([turn[0], turn[1], turn[2][1:]])
    done = cli("replay", packed(tmp_path / "forged", *told))
    assert str(done.exception) == "The effects are not those that were recorded."
    assert "decides otherwise" in done.output


def test_a_test_is_written_only_for_what_happens(
    site: Path, mended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "test_air.py"
    done = cli("test", site / "air.incident", "--cell", mended(AIR), "--output", target)
    assert done.exit_code == 0, done.output
    text = target.read_text(encoding="utf-8")
    assert 'incident.assert_gone("hold", "air", at="+' in text
    assert "exists already" in str(cli("test", site / "air.incident", "--output", target).exception)
    gone = cli("test", site / "air.incident", "--cell", mended(PATIENT), "--output", tmp_path / "test_b.py")
    assert "it does not happen any more" in str(gone.exception)
    assert not (tmp_path / "test_b.py").exists()
    assert "there are 1." in str(cli("test", site / "air.incident", "2").exception)
    head, *rest = lines(site)
    bundled = json.dumps({**json.loads(head), "folder": "/there/battery-module"})
    theirs = cli("test", packed(tmp_path / "theirs.incident", bundled, *rest))
    assert "battery-module comes with cellctl. Mend a copy of your own" in str(theirs.exception)
    elsewhere = json.dumps({**json.loads(head), "folder": "/there/cell"})
    gone = cli("test", packed(tmp_path / "gone.incident", elsewhere, *rest))
    assert "The files of bm1 are not here" in str(gone.exception)
    monkeypatch.chdir(tmp_path)
    written = cli("test", site / "air.incident")
    assert written.exit_code == 0, written.output
    assert (tmp_path / "tests" / "test_air_1.py").exists(), "the recorded cell is still there"


def test_a_line_of_the_recording_is_what_the_core_was_given(site: Path) -> None:
    turn = Incident.read(site / "air.incident").spans[0].turns[5]
    assert encoded(turn.now, turn.inputs, turn.effects) == lines(site)[2 + 5]
