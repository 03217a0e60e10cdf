"""Signals, samples and the process image: no value without quality and age."""

import pytest

from cellctl.core.signal import STALE_AFTER_NS, Image, Quality, Sample, Signal

MS = 1_000_000
LATE = STALE_AFTER_NS + 1


@pytest.fixture
def image() -> Image:
    return Image([Signal("plc.air", "float"), Signal("plc.guard", "bool"), Signal("oven.temp", "float")])


def told(name: str, value: float, at: int, quality: Quality = Quality.GOOD) -> Sample:
    return Sample(name, value, quality, at, at)


def test_a_signal_knows_its_device_and_its_name() -> None:
    signal = Signal("plc.air.pressure", "float")
    assert (signal.device, signal.name) == ("plc", "air.pressure")


def test_before_its_first_sample_a_signal_is_bad_and_has_no_value(image: Image) -> None:
    assert image.read("plc.air") == Sample("plc.air", None, Quality.BAD, reason="no value yet")
    assert not image.read("plc.air").good
    with pytest.raises(KeyError):
        image.read("plc.none")


def test_take_tells_whether_value_or_quality_changed(image: Image) -> None:
    assert image.take(told("plc.air", 5.0, 10))
    assert not image.take(told("plc.air", 5.0, 20))
    assert image.read("plc.air").received_ns == 20
    assert image.take(told("plc.air", 5.1, 30))
    assert image.take(told("plc.air", 5.1, 40, Quality.UNCERTAIN))
    assert not image.read("plc.air").good
    assert not image.take(told("plc.none", 1.0, 50))


def test_a_signal_goes_stale_only_after_its_time(image: Image) -> None:
    image.take(told("plc.air", 5.0, 10))
    image.take(told("oven.temp", 80.0, 20, Quality.UNCERTAIN))
    assert image.expire(10 + STALE_AFTER_NS) == []
    assert image.expire(10 + LATE) == ["plc.air"]
    assert image.read("plc.air") == Sample("plc.air", 5.0, Quality.BAD, 10, 10 + LATE, "stale: no news from the device")
    assert image.expire(20 + LATE) == ["oven.temp"]
    assert image.expire(30 + LATE) == []


def test_each_signal_has_its_own_time_to_go_stale() -> None:
    image = Image([Signal("plc.slow", "float", stale_after_ns=60 * STALE_AFTER_NS), Signal("plc.fast", "float")])
    image.take(told("plc.slow", 1.0, 0))
    image.take(told("plc.fast", 1.0, 0))
    assert image.expire(LATE) == ["plc.fast"]
    assert image.expire(59 * STALE_AFTER_NS) == []


def test_a_device_that_is_alive_confirms_its_values(image: Image) -> None:
    image.take(told("plc.air", 5.0, 10))
    image.take(told("oven.temp", 80.0, 10))
    assert image.confirm("plc", LATE) == []
    assert image.seen_ns("plc.air") == LATE
    assert image.seen_ns("oven.temp") == 10
    assert image.expire(LATE + 20) == ["oven.temp"]


def test_one_that_spoke_for_all_its_values_keeps_them_as_long_as_the_hastiest_allows() -> None:
    image = Image([Signal("plc.slow", "float", stale_after_ns=9 * STALE_AFTER_NS), Signal("plc.fast", "float")])
    for name in ("plc.slow", "plc.fast"):
        image.take(told(name, 1.0, 0))
    image.confirm("plc", 100)
    assert image.expire(LATE) == []
    assert image.stale_at == 100 + STALE_AFTER_NS
    assert image.expire(101 + STALE_AFTER_NS) == ["plc.fast"]
    assert image.stale_at == 100 + 9 * STALE_AFTER_NS


def test_a_signal_that_is_declared_anew_has_the_patience_of_the_new_one() -> None:
    image = Image([Signal("plc.air", "float", stale_after_ns=9 * STALE_AFTER_NS)])
    image.take(told("plc.air", 5.0, 10))
    image.declare([Signal("plc.air", "float")])
    image.confirm("plc", 20)
    assert image.expire(20 + STALE_AFTER_NS) == []
    assert image.expire(20 + LATE) == ["plc.air"]


def test_a_clock_that_was_set_back_makes_no_value_last_longer(image: Image) -> None:
    image.take(told("plc.air", 5.0, LATE))
    image.take(told("plc.air", 6.0, 10))
    assert image.expire(10 + LATE) == ["plc.air"]


def test_what_had_only_grown_old_is_good_again_when_the_device_is_alive(image: Image) -> None:
    image.take(told("plc.air", 5.0, 10))
    image.take(told("oven.temp", 80.0, 10))
    image.expire(10 + LATE)
    assert image.confirm("plc", 20 + LATE) == ["plc.air"]
    assert image.read("plc.air") == told("plc.air", 5.0, 10)
    assert image.read("oven.temp").quality is Quality.BAD
    assert image.expire(30 + LATE) == []


def test_a_device_confirms_some_of_its_values(image: Image) -> None:
    for name in ("plc.air", "plc.guard"):
        image.take(told(name, 1.0, 10))
    assert image.confirm("plc", LATE, {"plc.air"}) == []
    assert (image.seen_ns("plc.air"), image.seen_ns("plc.guard")) == (LATE, 10)
    assert image.expire(2 * LATE + 1) == ["plc.air", "plc.guard"]
    assert image.confirm("plc", 2 * LATE + 2, {"plc.guard"}) == ["plc.guard"]
    image.lose("plc", 2 * LATE + 3, "cable")
    image.take(told("plc.guard", 1.0, 2 * LATE + 1))
    assert image.seen_ns("plc.guard") == 2 * LATE + 1


def test_what_was_told_bad_meanwhile_stays_bad(image: Image) -> None:
    for name in ("plc.air", "plc.guard"):
        image.take(told(name, 1.0, 10))
    image.expire(10 + LATE)
    image.take(told("plc.air", 1.0, 20 + LATE, Quality.BAD))
    image.lose("plc", 30 + LATE, "cable")
    assert image.confirm("plc", 40 + LATE) == []
    assert image.read("plc.air").reason == "cable"


def test_losing_a_device_makes_its_signals_bad_and_keeps_their_values(image: Image) -> None:
    image.take(told("plc.air", 5.0, 10))
    image.take(told("oven.temp", 80.0, 10))
    image.confirm("plc", 20)
    assert image.lose("plc", 30, "cable") == ["plc.air"]
    assert image.read("plc.air") == Sample("plc.air", 5.0, Quality.BAD, 10, 30, "cable")
    assert image.read("plc.guard") == Sample("plc.guard", None, Quality.BAD, 0, 30, "cable")
    assert image.read("oven.temp").good
    assert image.lose("plc", 40, "cable") == []
    assert image.read("plc.air").received_ns == 30
    assert image.lose("robot", 50, "cable") == []


def test_a_device_may_confirm_some_of_its_signals_only(image: Image) -> None:
    for name in ("plc.air", "plc.guard"):
        image.take(told(name, 1.0, 10))
    assert image.confirm("plc", LATE, {"plc.air"}) == []
    assert (image.seen_ns("plc.air"), image.seen_ns("plc.guard")) == (LATE, 10)
    assert image.expire(10 + LATE) == ["plc.guard"]
    assert image.confirm("plc", 20 + LATE, {"plc.air"}) == []
    assert image.confirm("plc", 30 + LATE, {"plc.guard"}) == ["plc.guard"]
    image.lose("plc", 40 + LATE, "cable")
    assert (image.seen_ns("plc.air"), image.seen_ns("plc.guard")) == (40 + LATE, 40 + LATE)


def test_a_value_that_is_no_number_is_never_good(image: Image) -> None:
    image.take(told("plc.air", float("nan"), 1))
    assert image.read("plc.air").quality is Quality.BAD
    assert image.read("plc.air").reason == "not a number"
