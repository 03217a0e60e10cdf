"""Alarms: raised when known to be true, returned when known to be false; acknowledged, shelved, suppressed; and what of
this is remembered after a power cut."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cellctl.core.alarm_book import AlarmBook
from cellctl.core.cell import Cell
from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec
from cellctl.core.memory_plain import plain, remembered
from cellctl.core.messages import Acknowledge, Refused, Request, Shelve, Unshelve
from cellctl.core.packml import State

from .bench import SIGNALS, Bench, S, equipment

HOUR = 3600 * S


def spec(name: str, when: str, priority: str = "low", suppress: str = "", shelve_ns: int = HOUR) -> AlarmSpec:
    condition = parse(suppress, signals=SIGNALS) if suppress else None
    words = {"cy": (f"{name} cy", "Edrychwch.")}
    return AlarmSpec(
        name, parse(when, signals=SIGNALS), priority, f"{name}!", "Look.", shelve_ns, condition, words
    )  # fmt: skip


HOT = spec("hot", "laser.peak > 1900 W", "high", suppress="plc.clamp")
OPEN = spec("open", "plc.horn", "medium", shelve_ns=0)
NOTE = spec("note", "plc.count > 5", "info")


def bench_of(*alarms: AlarmSpec) -> Bench:
    return Bench(replace(equipment(), alarms=alarms or (HOT, OPEN, NOTE)))


def set_to(bench: Bench, signal: str, value: float | bool) -> None:
    bench.values[signal] = value
    bench.advance(0.01)


def heat(bench: Bench, *, on: bool = True) -> None:
    set_to(bench, "laser.peak", 1950.0 if on else 5.0)


def states(bench: Bench) -> dict[str, str]:
    """How every alarm stands that is not normal, in the order in which they are shown."""
    view = bench.view()
    return {alarm.id: alarm.state for alarm in (*view.alarms, *view.hidden_alarms)}


def refusal(bench: Bench, action: Acknowledge | Shelve | Unshelve) -> str:
    answer = bench.ask(action).answer
    return answer.reason if isinstance(answer, Refused) else ""


def again(bench: Bench, alarms: Sequence[AlarmSpec] = (HOT, OPEN, NOTE)) -> Bench:
    """The same cell after a power cut, from what the journal tells; nothing is connected yet."""
    after = Bench(replace(bench.cell.equipment, alarms=tuple(alarms)), connected=False)
    after.now = bench.now
    kept = json.dumps(plain(bench.twin))
    after.twin = remembered(json.loads(kept), after.cell.equipment)
    after.cell = Cell(remembered(json.loads(kept), after.cell.equipment), state=State.ABORTED)
    after._requests = 1000
    after.step()
    return after


def test_an_alarm_comes_is_seen_and_goes() -> None:
    bench = bench_of()
    heat(bench)
    raised = bench.now
    assert bench.noted("alarm") == [{"alarm": "hot", "raised": True, "priority": "high", "text": "hot!"}]
    (alarm,) = bench.view().alarms
    assert (alarm.text, alarm.do, alarm.since_ns, alarm.state) == ("hot!", "Look.", raised, "unacknowledged")
    assert alarm.words == {"en": {"text": "hot!", "do": "Look."}, "cy": {"text": "hot cy", "do": "Edrychwch."}}
    assert refusal(bench, Acknowledge(("hot",))) == ""
    assert bench.noted("alarm.acked") == [{"alarm": "hot", "by": "anna"}]
    assert states(bench) == {"hot": "acknowledged"}
    heat(bench, on=False)
    assert states(bench) == {}
    assert bench.noted("alarm")[-1] == {"alarm": "hot", "raised": False}


def test_what_nobody_saw_stays_until_somebody_has() -> None:
    bench = bench_of()
    heat(bench)
    heat(bench, on=False)
    (alarm,) = bench.view().alarms
    assert (alarm.state, alarm.active, alarm.returned_ns) == ("returned", False, bench.now)
    heat(bench)
    assert (states(bench), bench.view().alarms[0].since_ns) == ({"hot": "unacknowledged"}, bench.now)
    heat(bench, on=False)
    bench.ask(Acknowledge(("hot",)))
    assert states(bench) == {}


def test_while_it_is_unknown_nothing_changes() -> None:
    bench = bench_of()
    heat(bench)
    since = bench.now
    bench.lose("laser")
    assert bench.view().alarms[0].since_ns == since
    bench.back("laser")
    heat(bench)
    assert len(bench.noted("alarm")) == 1
    bench.lose("laser")
    bench.values["laser.peak"] = 5.0
    bench.back("laser")
    bench.advance(0.01)
    assert states(bench) == {"hot": "returned"}


def test_an_alarm_that_takes_its_time_wakes_the_cell() -> None:
    bench = bench_of(spec("slow", "plc.horn for 3 s"))
    set_to(bench, "plc.horn", True)
    assert bench.cell.alarms.wake_at == bench.now + 3 * S
    bench.advance(3)
    assert states(bench) == {"slow": "unacknowledged"}


def test_what_only_informs_needs_nobody() -> None:
    bench = bench_of()
    set_to(bench, "plc.count", 6)
    assert states(bench) == {"note": "acknowledged"}
    assert refusal(bench, Acknowledge(("note",))) == "the alarm note needs no acknowledgement"
    set_to(bench, "plc.count", 0)
    assert states(bench) == {}


def test_the_order_is_what_is_not_seen_the_most_urgent_the_oldest() -> None:
    names = (
        ("a", "plc.guard", "low"),
        ("b", "plc.infeed", "high"),
        ("c", "plc.clamp", "low"),
        ("d", "plc.horn", "high"),
    )
    bench = Bench(replace(equipment(), alarms=tuple(spec(*one) for one in names), interlocks=()))
    bench.values |= dict.fromkeys(("plc.guard", "plc.infeed"), False)
    bench.advance(0.01)
    bench.ask(Acknowledge(("a", "b")))
    assert states(bench) == {}
    for signal in ("plc.horn", "plc.clamp", "plc.guard", "plc.infeed"):
        set_to(bench, signal, True)
    assert list(states(bench)) == ["d", "b", "c", "a"]
    bench.ask(Acknowledge(("d",)))
    set_to(bench, "plc.clamp", False)
    assert list(states(bench).items()) == [
        ("b", "unacknowledged"), ("a", "unacknowledged"), ("d", "acknowledged"), ("c", "returned")
    ]  # fmt: skip


def test_several_are_acknowledged_at_once() -> None:
    bench = bench_of()
    heat(bench)
    set_to(bench, "plc.horn", True)
    assert refusal(bench, Acknowledge(("hot", "note", "open"))) == ""
    assert states(bench) == {"hot": "acknowledged", "open": "acknowledged"}
    assert refusal(bench, Acknowledge(("hot", "open"))) == "none of these alarms needs an acknowledgement"
    assert refusal(bench, Acknowledge(("hot",))) == "the alarm hot needs no acknowledgement"
    assert refusal(bench, Acknowledge(("hott",))) == "there is no alarm 'hott'"
    assert refusal(bench, Acknowledge(())) == "none of these alarms needs an acknowledgement"


def test_a_shelved_alarm_is_hidden_for_its_time() -> None:
    bench = bench_of()
    heat(bench)
    assert refusal(bench, Shelve("hot", 60 * S, " known, part is ordered ")) == ""
    assert bench.view().alarms == ()
    (alarm,) = bench.view().hidden_alarms
    assert (alarm.state, alarm.until_ns, alarm.by, alarm.reason) == (
        "shelved", bench.now + 60 * S, "anna", "known, part is ordered"
    )  # fmt: skip
    assert bench.cell.alarms.wake_at == bench.now + 60 * S
    assert refusal(bench, Acknowledge(("hot",))) == "the alarm hot needs no acknowledgement"
    heat(bench, on=False)
    heat(bench)
    assert (states(bench), len(bench.noted("alarm"))) == ({"hot": "shelved"}, 3)
    bench.advance(61, tick=S)
    assert states(bench) == {"hot": "unacknowledged"}
    assert bench.noted("alarm.unshelved") == [{"alarm": "hot", "by": ""}]


def test_a_shelved_alarm_that_returned_is_normal_when_its_time_is_over() -> None:
    bench = bench_of()
    heat(bench)
    bench.ask(Shelve("hot", 60 * S, "known"))
    heat(bench, on=False)
    assert states(bench) == {"hot": "shelved"}
    bench.advance(61, tick=S)
    assert states(bench) == {}


def test_a_normal_alarm_may_be_shelved_and_shown_again() -> None:
    bench = bench_of()
    assert refusal(bench, Shelve("hot", HOUR, "it flutters")) == ""
    heat(bench)
    assert bench.view().alarms == ()
    assert refusal(bench, Unshelve("hot")) == ""
    assert bench.noted("alarm.unshelved") == [{"alarm": "hot", "by": "anna"}]
    assert states(bench) == {"hot": "unacknowledged"}


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Shelve("hot", HOUR + 1, "x"), "the alarm hot may be shelved for at most 60 min"),
        (Shelve("hot", 0, "x"), "the alarm hot may be shelved for at most 60 min"),
        (Shelve("hot", S, "  "), "say why the alarm hot is to be shelved"),
        (Shelve("open", S, "x"), "the alarm open may not be shelved"),
        (Shelve("hott", S, "x"), "there is no alarm 'hott'"),
        (Unshelve("hot"), "the alarm hot is not shelved"),
        (Unshelve("hott"), "there is no alarm 'hott'"),
    ],
)
def test_what_is_refused_is_refused_in_clear_words(action: Shelve | Unshelve, reason: str) -> None:
    bench = bench_of()
    heat(bench)
    assert refusal(bench, action) == reason
    assert states(bench) == {"hot": "unacknowledged"}


def test_shelving_is_not_prolonged_in_passing() -> None:
    bench = bench_of()
    bench.ask(Shelve("hot", S, "x"))
    assert refusal(bench, Shelve("hot", HOUR, "x")) == "the alarm hot is shelved already; end that first"


def test_what_the_design_suppresses_is_hidden_as_long_as_that_is_known() -> None:
    bench = bench_of()
    heat(bench)
    set_to(bench, "plc.clamp", True)
    assert (bench.view().alarms, states(bench)) == ((), {"hot": "suppressed"})
    heat(bench, on=False)
    heat(bench)
    assert states(bench) == {"hot": "suppressed"}
    bench.lose("plc")
    assert states(bench) == {"hot": "unacknowledged"}
    bench.back("plc")
    bench.advance(0.01)
    assert states(bench) == {"hot": "suppressed"}
    heat(bench, on=False)
    set_to(bench, "plc.clamp", False)
    assert states(bench) == {}
    kinds = [entry.kind for entry in bench.entries if "suppressed" in entry.kind]
    assert kinds == ["alarm.suppressed", "alarm.unsuppressed"] * 2


def test_shelved_and_suppressed_is_shown_when_both_are_over() -> None:
    bench = bench_of()
    heat(bench)
    bench.ask(Shelve("hot", HOUR, "x"))
    set_to(bench, "plc.clamp", True)
    bench.ask(Unshelve("hot"))
    assert states(bench) == {"hot": "suppressed"}
    set_to(bench, "plc.clamp", False)
    assert states(bench) == {"hot": "unacknowledged"}


# --- after a power cut ----------------------------------------------------------------------------------------


def test_how_alarms_stand_survives_a_power_cut() -> None:
    bench = bench_of()
    heat(bench)
    set_to(bench, "plc.horn", True)
    bench.ask(Acknowledge(("open",)))
    before = bench.view().alarms
    after = again(bench)
    assert after.view().alarms == before
    after.connect("plc", "laser", "robot")
    after.values |= {"laser.peak": 1950.0, "plc.horn": False}
    after.advance(0.01)
    assert states(after) == {"hot": "unacknowledged"}
    assert [entry["alarm"] for entry in after.noted("alarm")] == ["open"]
    heat(after, on=False)
    assert states(after) == {"hot": "returned"}


def test_shelving_and_suppression_survive_a_power_cut() -> None:
    bench = bench_of()
    heat(bench)
    set_to(bench, "plc.clamp", True)
    set_to(bench, "plc.count", 6)
    bench.ask(Shelve("note", 5 * S, "x"))
    after = again(bench)
    assert states(after) == {"note": "shelved", "hot": "suppressed"}
    after.now += 5 * S
    after.step()
    assert states(after) == {"note": "acknowledged", "hot": "suppressed"}


def test_an_alarm_that_the_files_have_no_more_is_forgotten() -> None:
    bench = bench_of()
    heat(bench)
    after = again(bench, [OPEN])
    assert after.noted("alarm.removed") == [{"alarm": "hot"}]
    assert (states(after), after.cell.memory.alarms.standing) == ({}, {})


def test_a_snapshot_without_alarms_is_of_a_cell_without() -> None:
    bench = bench_of()
    data = plain(bench.cell.memory)
    del data["alarms"]
    assert remembered(data, bench.cell.equipment).alarms.plain() == AlarmBook().plain()


def test_a_repeated_request_acknowledges_nothing_more() -> None:
    bench = bench_of()
    heat(bench)
    request = Request("r1", Acknowledge(("hot",)), "anna", "test")
    bench.step(request)
    heat(bench, on=False)
    heat(bench)
    bench.step(request)
    assert states(bench) == {"hot": "unacknowledged"}
