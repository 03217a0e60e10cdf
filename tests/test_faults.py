"""The vocabulary of faults: what is said is checked as a whole, and goes out and comes back as JSON."""

import json

import pytest

from cellctl.faults import KINDS, Fault, FaultError, fault, read


def test_a_fault_in_words() -> None:
    assert fault("delay", "laser", for_="10 s", by="200 ms") == Fault(
        "delay", "laser", 10_000_000_000, {"by": 200_000_000, "jitter": 0}
    )
    assert fault("partition", "laser, grip").devices == ("laser", "grip")
    assert fault("frozen", "laser.window").devices == ("laser",)
    assert fault("clock_step", by="-2 h").options == {"by": -7_200_000_000_000}
    assert str(fault("loss", "laser", for_=3, share=0.5)) == "loss laser share=0.5 for 3 s"
    assert str(fault("kill")) == "kill"
    assert str(fault("delay", "laser", by="20 ms", jitter="1 s")) == "delay laser by=0.02 s jitter=1 s"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("unplugg", "laser"), "there is no fault 'unplugg'; did you mean 'unplug'?"),
        (("x", "laser"), "there is no fault 'x'; there are: unplug, reset"),
        (("unplug",), "unplug names DEVICE"),
        (("disk_full", "laser"), "disk_full names nothing, not 'laser'"),
        (("frozen", "laser"), "frozen names DEVICE.NAME, with a dot between them; 'laser' is not of that form"),
        (("unplug", "laser.power"), "unplug names DEVICE; 'laser.power' is a place in a device"),
        (("reset", "laser", "3 s"), "reset happens once: it cannot last"),
        (("unplug", "laser", "3 parsecs"), "how long unplug lasts: "),
        (("unplug", "laser", -1), "how long unplug lasts: -1 is no duration, such as '30 s'"),
        (("unplug", "laser", True), "how long unplug lasts: True is no duration"),
    ],
)
def test_what_does_not_fit_is_said(words: tuple[object, ...], told: str) -> None:
    with pytest.raises(FaultError) as error:
        fault(*words)  # type: ignore[arg-type]
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("kind", "target", "options", "told"),
    [
        ("delay", "laser", {"buy": 1}, "delay has no option 'buy'; did you mean 'by'?"),
        ("unplug", "laser", {"by": 1}, "unplug has no option 'by'; there are: none"),
        ("delay", "laser", {}, "delay needs by: so much"),
        ("delay", "laser", {"by": "soon"}, "by of delay: "),
        ("loss", "laser", {"share": 3}, "share of loss is a share, 0 to 1, not 3"),
        ("loss", "laser", {"share": True}, "share of loss is a share, 0 to 1, not True"),
        ("slow", "laser", {"rate": float("nan")}, "rate of slow is more than 0, not nan"),
        ("slow", "laser", {"rate": 0}, "rate of slow is more than 0, not 0"),
        ("kill", "", {"after": -1}, "after of kill is a whole number, 0 or more, not -1"),
        ("set", "plc.guard_closed", {"to": []}, "to of set is a value, not []"),
        ("cut", "laser", {"way": "up"}, "way of cut is one of both, requests, answers, not 'up'"),
        ("hang", "laser", {"after": -1}, "after of hang is a whole number, 0 or more, not -1"),
        ("garbage", "laser", {"bytes": "0x01"}, "bytes of garbage is bytes in hexadecimal, such as '01 83 02'"),
        ("garbage", "laser", {"bytes": 0}, "bytes of garbage is bytes in hexadecimal"),
        ("flood", "laser", {"rate": 0}, "rate of flood is more than 0, not 0"),
    ],
)
def test_options_are_checked(kind: str, target: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(FaultError) as error:
        fault(kind, target, **options)
    assert str(error.value).startswith(told)


def test_every_kind_goes_out_and_comes_back() -> None:
    for name, kind in KINDS.items():
        target = {"DEVICE": "laser", "DEVICE,..": "laser,grip", "DEVICE.NAME": "laser.power", "DEVICE.INPUT": "a.b"}
        needed = {key: {"duration": "1.5 s", "value": True}[option.kind] for key, option in kind.options.items()
                  if option.default is None}  # fmt: skip
        whole = fault(name, target.get(kind.target, ""), "2 s" if kind.lasts else None, **needed)
        assert read(json.loads(json.dumps(whole.plain()))) == whole


@pytest.mark.parametrize("told", [None, [], {}, {"kind": 3, "target": "", "for": None, "options": {}}])
def test_what_is_no_fault_is_refused(told: object) -> None:
    with pytest.raises(FaultError, match="is no fault"):
        read(told)


def test_a_fault_from_outside_is_checked_as_any_other() -> None:
    with pytest.raises(FaultError, match="did you mean 'unplug'"):
        read({"kind": "unplugg", "target": "laser", "for": None, "options": {}})
    with pytest.raises(FaultError, match="by of delay"):
        read({"kind": "delay", "target": "laser", "for": None, "options": {"by": "x y"}})
