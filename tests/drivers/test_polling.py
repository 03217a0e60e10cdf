"""What is told of a block that is read again and again, and what is only confirmed."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import struct

from hypothesis import given
from hypothesis import strategies as st

from cellctl.driver import Device, DriverError, Outcome, Point, Signal
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.modbus.polling import REPEAT_NS, Polled
from cellctl_drivers.modbus.profile import Profile

from .recording import RecordingLink, Running, until
from .rigs import MODBUS_POINTS
from .servers import Pty, RtuDevice

SIGNALS = ("dev.a", "dev.b", "dev.c")


class ClockedLink(RecordingLink):
    """Its time goes as the test says."""

    time_ns = 10 * REPEAT_NS

    def now(self) -> int:
        return self.time_ns


def polled(*, only: bool = False) -> tuple[Polled, ClockedLink]:
    points = {
        name: Point(Signal(f"dev.{name}", "int", high=900), read=f"holding {number} uint16")
        for number, name in enumerate("abc")
    }
    profile = Profile(Device("dev", "modbus", "modbus://127.0.0.1:1", points))
    link = ClockedLink()
    link.up()
    (block,) = profile.blocks()
    return Polled(block, profile.targets, link, only=only), link


def registers(*values: int) -> bytes:
    return struct.pack(">3H", *values)


def told(link: RecordingLink) -> dict[str, object]:
    """What was told since the last question."""
    found = {sample.signal: sample.value for sample in link.samples}
    assert len(found) == len(link.samples)
    link.samples.clear()
    return found


def test_what_did_not_change_is_confirmed_and_not_told() -> None:
    block, link = polled()
    block.take(registers(1, 2, 3))
    assert told(link) == {"dev.a": 1, "dev.b": 2, "dev.c": 3}
    block.take(registers(1, 2, 3))
    assert told(link) == {}
    block.take(registers(1, 5, 3))
    assert told(link) == {"dev.b": 5}
    assert link.confirmed == [frozenset(SIGNALS)] * 2
    block.take(registers(7, 8, 9))
    assert told(link) == {"dev.a": 7, "dev.b": 8, "dev.c": 9}
    assert len(link.confirmed) == 2


def test_the_only_block_of_a_device_speaks_for_all_of_it() -> None:
    only, link = polled(only=True)
    only.take(registers(1, 2, 3))
    only.take(registers(1, 2, 3))
    assert link.confirmed == [None]


def test_everything_is_told_again_after_a_while() -> None:
    block, link = polled()
    block.take(registers(1, 2, 3))
    told(link)
    link.time_ns += REPEAT_NS - 1
    block.take(registers(1, 2, 3))
    assert told(link) == {}
    link.time_ns += 1
    block.take(registers(1, 2, 3))
    assert {sample.received_ns for sample in link.samples} == {link.time_ns}
    assert told(link) == {"dev.a": 1, "dev.b": 2, "dev.c": 3}


def test_after_a_refusal_everything_is_told_again() -> None:
    block, link = polled()
    block.take(registers(1, 2, 3))
    told(link)
    block.refuse("busy")
    assert {sample.reason for sample in link.samples} == {"busy"}
    assert told(link) == {"dev.a": 1, "dev.b": 2, "dev.c": 3}
    assert link.confirmed == []
    block.take(registers(1, 2, 3))
    assert all(sample.good for sample in link.samples)
    assert told(link) == {"dev.a": 1, "dev.b": 2, "dev.c": 3}


@given(st.lists(st.tuples(st.lists(st.integers(898, 902), min_size=3, max_size=3), st.integers(0, REPEAT_NS // 2))))
def test_what_is_confirmed_is_what_the_device_says(answers: list[tuple[list[int], int]]) -> None:
    block, link = polled()
    for values, later_ns in answers:
        link.time_ns += later_ns
        block.take(registers(*values))
        assert [(link.last[name].value, link.last[name].good) for name in "abc"] == [(n, n <= 900) for n in values]
        fresh = {signal for signal in SIGNALS if link.last[signal[4:]].received_ns == link.time_ns}
        assert fresh | set().union(*(link.confirmed or ())) >= set(SIGNALS)
        link.confirmed.clear()


async def test_a_device_without_an_identity_is_connected_when_it_answers(link: RecordingLink) -> None:
    device = RtuDevice({50: 10})
    pty = Pty(device)
    points = {"setpoint": MODBUS_POINTS["setpoint"]}
    driver = ModbusDriver(Device("dev", "modbus", f"modbus+rtu:{pty.path}?unit=9&baud=115200", points))
    try:
        device.fault.silent = True
        async with Running(driver, link) as running:
            assert isinstance(await running.ended(), DriverError)
        assert link.ups == []
        device.fault.silent = False
        async with Running(driver, link):
            await link.value("setpoint", 10.0)
        assert link.ups == [""]
    finally:
        pty.close()


class Forgetful(RtuDevice):
    """It shows a written value once; then it has the old one again."""

    def respond(self, request: bytes) -> bytes:
        answer = super().respond(request)
        if request[1] == 3:
            self.registers[50] = 10
        return answer


async def test_what_was_read_back_and_fell_back_is_told(link: RecordingLink) -> None:
    pty = Pty(Forgetful({50: 10}))
    points = {"setpoint": MODBUS_POINTS["setpoint"]}
    driver = ModbusDriver(Device("dev", "modbus", f"modbus+rtu:{pty.path}?unit=9&baud=115200", points))
    try:
        async with Running(driver, link):
            await link.value("setpoint", 10.0)
            assert (await link.set("setpoint", 50.0)).outcome is Outcome.CONFIRMED
            assert await until(lambda: link.last["setpoint"].value == 10.0) < REPEAT_NS / 2e9
    finally:
        pty.close()
