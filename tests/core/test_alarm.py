"""Alarms: raised when known to be true, returned when known to be false, in the order of their urgency."""

from cellctl.core.alarm import Alarm, Alarms
from cellctl.core.condition_text import parse
from cellctl.core.equipment import AlarmSpec
from cellctl.core.signal import Image, Quality, Sample

from .bench import SIGNALS, Bench, equipment


def specs(*alarms: tuple[str, str, str]) -> list[AlarmSpec]:
    return [
        AlarmSpec(name, parse(when, signals=SIGNALS), priority, f"{name}!", "Look.") for name, when, priority in alarms
    ]


def test_an_alarm_comes_and_goes_and_the_unknown_changes_nothing() -> None:
    image = Image(SIGNALS.values())
    alarms = Alarms(image, specs(("hot", "laser.peak > 1900 W", "high")))

    def moved(value: float, at: int, quality: Quality = Quality.GOOD) -> list[tuple[str, bool]]:
        image.take(Sample("laser.peak", value, quality, at, at))
        return alarms.refresh(["laser.peak"], at)

    assert moved(1800, 1) == []
    assert moved(1950, 2) == [("hot", True)]
    assert alarms.in_order() == [Alarm("hot", "high", "hot!", "Look.", 2)]
    assert moved(1960, 3) == []
    assert moved(1960, 4, Quality.BAD) == []
    assert moved(1970, 5) == []
    assert alarms.in_order()[0].since_ns == 2
    assert moved(1970, 6, Quality.BAD) == []
    assert moved(1800, 7) == [("hot", False)]
    assert alarms.in_order() == []
    assert moved(1800, 8, Quality.BAD) == []
    assert moved(1950, 9) == [("hot", True)]


def test_an_alarm_that_takes_its_time_wakes_the_cell() -> None:
    image = Image(SIGNALS.values())
    alarms = Alarms(image, specs(("slow", "plc.guard for 10 ms", "low")))
    assert alarms.wake_at is None
    image.take(Sample("plc.guard", True, Quality.GOOD, 5, 5))
    assert alarms.refresh(["plc.guard"], 5) == []
    assert alarms.wake_at == 10_000_005
    assert alarms.refresh([], 10_000_005) == [("slow", True)]


def test_the_most_urgent_comes_first_and_of_equals_the_oldest() -> None:
    image = Image(SIGNALS.values())
    names = (
        ("a", "plc.guard", "low"),
        ("b", "plc.infeed", "high"),
        ("c", "plc.clamp", "low"),
        ("d", "plc.horn", "info"),
    )
    alarms = Alarms(image, specs(*names))
    for at, signal in enumerate(("plc.horn", "plc.clamp", "plc.guard", "plc.infeed")):
        image.take(Sample(signal, True, Quality.GOOD, at, at))
        alarms.refresh([signal], at)
    assert [alarm.id for alarm in alarms.in_order()] == ["b", "c", "a", "d"]


def test_the_cell_tells_its_alarms() -> None:
    bench = Bench(equipment())
    bench.values["laser.peak"] = 1950.0
    bench.advance(0.01)
    assert bench.noted("alarm") == [{"alarm": "hot", "raised": True}]
    (alarm,) = bench.view().alarms
    assert (alarm.text, alarm.do, alarm.since_ns) == ("Too hot", "Wait.", bench.now)
    bench.lose("laser")
    assert len(bench.view().alarms) == 1
    bench.values["laser.peak"] = 5.0
    bench.back("laser")
    bench.advance(0.01)
    assert bench.noted("alarm")[-1] == {"alarm": "hot", "raised": False}
