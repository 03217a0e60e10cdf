"""What lets a device tell a sender of now from one of before: epoch, checksum, and the echo of a sign of life.

The rule kept here: an epoch is raised over what the device itself has seen last, so nothing need be remembered here;
and only tokens that go up are sent within one.
"""

from collections.abc import Iterable

from cellctl.driver import AddressError, Call, Value
from cellctl_drivers.wire.orders import filled
from cellctl_drivers.wire.settings import Section, Where

#: What stands for the epoch of this connection, and for the checksum of all that is sent with it.
EPOCH, CRC16 = "$epoch", "$crc16"

#: Epochs and tokens count from 1 to this, and begin again.
COUNT = 65_535
#: So far ahead a number is a later one; farther, it is an earlier one.
AHEAD_MAX = 32_767

#: How long a device may take to take over a new epoch, and how often it is looked whether it has. Meanwhile it gets no
#: sign of life.
TAKEN_S, LOOK_S = 0.5, 0.02


class Epoch:
    """The epoch of one connection; 0 as long as none was raised. Where nothing is connected it is told as 1."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._token = 0  # the last one that was sent in it

    def rise(self, seen: Value) -> None:
        """Take the next one after what the device has seen."""
        self.number = int(seen) % COUNT + 1
        self._token = 0

    def follows(self, token: int) -> bool:
        """Whether `token` goes up from the last one, or is it again; it is the last one then."""
        if self._token and (token - self._token) % COUNT > AHEAD_MAX:
            return False
        self._token = token
        return True

    def filled(self, value: Value, order: Call | None = None) -> Value:
        """What is sent for `value`: the epoch, or what the order brings; OrderError if it brings nothing."""
        if value == EPOCH:
            return self.number
        return value if order is None else filled(value, order)


class Echo:
    """The sign of life of a device's program: it must be another one again within `within_ns`."""

    def __init__(self) -> None:
        self._value: Value | None = None
        self._heard_ns = 0

    def is_late(self, value: Value, now: int, within_ns: int) -> bool:
        """Whether what the device tells at `now` has been the same for too long."""
        if value != self._value:
            self._value, self._heard_ns = value, now
        return now - self._heard_ns > within_ns


def crc16(data: bytes) -> int:
    """CRC-16 as in Modbus RTU: polynomial 0x8005, bits reversed, from 0xFFFF on; of "123456789" it is 0x4B37."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def silent_program(device: str, within_ns: int) -> str:
    """What it means that a device which answers tells no new sign of life."""
    return f"the program of {device} has told no new sign of life for {within_ns / 1e6:.0f} ms: it stands still"


def untaken(epoch: Epoch, seen: Value) -> str:
    """What it means that a device tells another epoch than it was told."""
    return f"it does not take the epoch {epoch.number}, and tells {seen}: does its program run?"


def check_epoch(has_row: bool, prepared: Iterable[Value], sent: Iterable[Value], at: tuple[Where, Where]) -> None:
    """AddressError for an epoch that nobody raises, or that nobody tells the device; `at`: the rows of both."""
    if has_row and EPOCH not in prepared:
        raise AddressError("`prepare` does not tell the device its $epoch", at[1])
    if not has_row and EPOCH in (*prepared, *sent):
        raise AddressError("there is no `epoch: ROW`, by which the device tells the last one it has seen", at[0])


def echo_within_ns(watchdog: Section, every_ns: int, echoes: bool) -> int:
    """``within`` of a watchdog with an ``echo``: three periods if it is not said. AddressError for one that is of no
    use; `echoes`: what is written is another value each time, and told back."""
    if "echo" not in watchdog and "within" not in watchdog:
        return 0
    if not echoes:
        raise AddressError(
            "only a running number can be seen to come back: `echo`, and no `value`", watchdog.at("echo")
        )
    within_ns = watchdog.duration("within", f"{3 * every_ns} ns")
    if within_ns < 2 * every_ns:
        raise AddressError("the device needs two periods at least to tell a new sign of life", watchdog.at("within"))
    return within_ns
