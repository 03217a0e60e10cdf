"""What is written to the place of an output that is held ends that it is held, and nothing else does."""

from cellctl.driver import Device, Point, Signal
from cellctl_drivers.modbus.held import Held
from cellctl_drivers.modbus.profile import Profile
from cellctl_drivers.modbus.rows import Orders, Row, parse_row


def row(text: str) -> Row:
    return parse_row(text, ("test",), Orders())


def held(write: str) -> Held:
    point = Point(Signal("dev.lever", "bool", writable=True), "coil 99", write, options={"renew": "50 ms"})
    made = Held(Profile(Device("dev", "modbus", "modbus://127.0.0.1:1", {"lever": point})).targets)
    made.hold("lever", row("coil 99"), b"\1")
    return made


def ends(write: str, text: str, count: int) -> bool:
    """Whether writing to `text` ends what is held at `write`."""
    made = held(write)
    made.end_at(row(text), count)
    return made.get("lever") is None


def test_whatever_reaches_its_place_ends_it() -> None:
    assert ends("coil 2", "coil 2", 1)
    assert ends("coil 2", "coil 0", 4)
    assert not ends("coil 2", "coil 0", 2)
    assert not ends("coil 2", "coil 3", 1)
    assert not ends("coil 2", "holding 2 uint16", 1)
    assert ends("holding 5 uint16", "holding 4 uint32", 2)


def test_both_registers_of_a_mask_are_its_place() -> None:
    assert ends("holding 0/1 bit 3", "holding 0 uint16", 1)
    assert ends("holding 0/1 bit 3", "holding 1 uint16", 1)
    assert not ends("holding 0/1 bit 3", "holding 2 uint16", 1)


def test_it_ends_by_name_and_all_at_once() -> None:
    for end in (lambda one: one.end("lever"), lambda one: one.end_all()):
        made = held("coil 2")
        assert made.get("lever") is not None
        end(made)
        assert made.get("lever") is None
