"""THE PORT: all that the author of a driver needs.

A driver is one object per device with one coroutine. Its constructor parses addresses and does no I/O, so that
`cellctl check` finds every wrong address; `run(link)` is ONE connection from connect to loss: connect, identify the
device, tell `link.up`, then read and perform orders until the connection is lost, and say so by raising
`DriverError`. The supervisor marks the device's signals bad, fails what was waiting, and calls `run` again after a
growing pause: no driver retries, reconnects or replays by itself.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from cellctl.core.messages import Call, CommandClass, Order, Outcome, Write
from cellctl.core.signal import Quality, Sample, Signal, Value
from cellctl.core.units import UnitError, duration_ns

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

__all__ = [
    "TAP", "AddressError", "Browse", "Browser", "Call", "Command", "CommandClass", "Contact", "Device", "Directed",
    "Driver", "DriverError", "DriverFactory", "Finding", "Link", "Listening", "Order", "Outcome", "Point", "Quality",
    "Sample", "SerialLoop", "Signal", "Tap", "Teller", "Translator", "UnitError", "Unwilling", "Value", "Write",
    "WrongDevice", "driver_ends", "duration_ns", "tapped",
]  # fmt: skip


T = TypeVar("T")


class DriverError(Exception):
    """The connection cannot be made or is lost: a sentence for a person, the technical detail as `__cause__`."""


class WrongDevice(DriverError):
    """Another device than the expected one answers: nothing may be written to it."""


class AddressError(ValueError):
    """An address, setting or row that this driver cannot use; `where` is its path in the profile, or ("at",)."""

    def __init__(self, message: str, where: tuple[str | int, ...]) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True, slots=True)
class Point:
    """One signal on the wire, as its profile declares it.

    `read` and `write` are addresses in the words of the protocol ("holding 2 int16", "PWR?"); a raw number r means
    r * scale + offset in the signal's unit; `bad_if` lists raw values that mean a fault, not a measurement;
    `every_ns` is the wanted period; `options` holds the row's further keys, for this protocol only.
    """

    signal: Signal
    read: str | None = None
    write: str | None = None
    every_ns: int = 1_000_000_000
    scale: float = 1.0
    offset: float = 0.0
    bad_if: tuple[Value, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """One command on the wire: `options` are its protocol keys (`write`, `reply`, ...), `$name` in them an argument
    or `$token`. Waiting for its end (`until`) is the core's business, not the driver's."""

    name: str
    command_class: CommandClass
    timeout_ns: int
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Device:
    """All that a driver is told about its device.

    `address` is the cell's `at:`; `settings` the profile's section for the protocol (`modbus:`, `opcua:`, `line:`)
    with the cell's `set:` laid over it; `identify` and `watchdog` as in the profile; `points` by signal name and
    `commands` by name within the device. `pki` is the folder with the certificates of this computer and of devices,
    for `cellctl.pki`; None if there is none, as where devices are only looked for. `alone`: it is of no cell, so that
    nothing but its address tells it from others.
    """

    id: str
    protocol: str
    address: str
    points: Mapping[str, Point]
    commands: Mapping[str, Command] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    identify: Mapping[str, object] | None = None
    watchdog: Mapping[str, object] | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    simulated: bool = False
    pki: "Path | None" = None
    alone: bool = False


class Link(Protocol):
    """What a driver is given: samples and answers in, orders out. All calls belong to the running connection."""

    def now(self) -> int:
        """The time, ns UTC: for the stamps of samples and for comparing deadlines."""

    def up(self, identity: str = "") -> None:
        """The device is connected and is the right one."""

    def put(self, samples: Iterable[Sample]) -> None:
        """Hand readings over; never blocks. Under overload the newest of each signal wins."""

    def alive(self, signals: Iterable[str] | None = None) -> None:
        """The device just said that these signals, or all, still have the values last put."""

    async def order(self) -> Order:
        """The next order, stop class first; an order past its deadline is answered NOT_SENT and never seen here."""

    def done(self, order: Order, outcome: Outcome, result: Mapping[str, Value] | None = None, reason: str = "") -> None:
        """Answer `order`, exactly once."""

    def common(self, key: Hashable, make: Callable[[], T]) -> T:
        """What devices of this control have in common, such as one serial line: the thing under `key`, which whoever
        asks first has made. It outlives connections, and ends with control; `make` does no I/O."""


class Driver(Protocol):
    """One device behind one protocol."""

    async def run(self, link: Link) -> None:
        """One connection, until it is lost (DriverError) or the task is cancelled; leaves nothing open behind."""


class Contact(Protocol):
    """A simulated device as it is without its wire: what a driver touches at the direct level of a test.

    `wire` is what the device shows, in the words of its protocol: registers, text lines or nodes. `trouble` says what
    is wrong between driver and device: nothing (""), answers that are lost ("mute"), nothing that passes ("silent"), or
    no connection ("cut"); `delay_s` is how much longer everything takes.
    """

    wire: Any
    trouble: str
    delay_s: float

    @property
    def busy(self) -> bool:
        """Whether the device will go on by itself."""

    def settle(self) -> None:
        """Bring the device to the present, before it is read and after it was written."""

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have `changed` called when the device did something, or `trouble` is another; ends by what it gives."""


class Unwilling(Exception):
    """A simulated device refuses what was asked on its `wire`; the text says why. `busy`: it may be asked again."""

    busy = False


class Directed(Protocol):
    """A driver class that can also be used without a wire."""

    def direct(self, device: Device, contact: Contact) -> Driver:
        """The driver of `device` as it is at the other end of `contact`. AddressError as for the driver itself."""


@runtime_checkable
class Teller(Protocol):
    """A driver that can say, without a wire, what it would send."""

    def sending(self, order: Order) -> list[str]:
        """What would be sent for `order`, in its order. ValueError if it would not be sent."""


@runtime_checkable
class Translator(Teller, Protocol):
    """A driver that can also say what something on the wire means. The words are those of its golden vectors, such as
    ``holding 1000: 0900 00FF``."""

    def meaning(self, signal: str, wire: Sequence[str]) -> Sample:
        """The sample of a signal (by its name within the device) that `wire` holds. ValueError if it holds none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a device has: what it is called there, its address in the words of the protocol, its type and what
    may be done with it ("r", "w", "rw", "": nothing), its value now, what it might mean.

    `unit` is as the device writes it, `low` and `high` what it calls usual; `row` is what a profile says to make it a
    signal (`type`, `read`, `write`, and keys of the protocol), empty if it cannot be one.
    """

    path: str
    address: str
    kind: str = ""
    access: str = ""
    value: str = ""
    hint: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    row: Mapping[str, object] = field(default_factory=dict)


class Browse(Protocol):
    """What is asked of a device that shall tell about itself, and who is told: see `Browser`.

    `ranges` say where to look, in the words of the protocol ((): where it is usual); `depth_max` and `count_max` are
    how deep and how many; `listen_s` is for how long a device is listened to that speaks by itself.
    """

    ranges: Sequence[str]
    depth_max: int
    count_max: int
    listen_s: float

    def found(self, finding: Finding) -> None:
        """Something that the device has."""

    def progress(self, text: str) -> None:
        """How far it is."""

    def cut(self, reason: str) -> None:
        """What was left out, and how to see it."""

    def section(self, name: str, content: Mapping[str, object]) -> None:
        """A section of a profile for this device, such as the settings of the protocol."""


@runtime_checkable
class Browser(Protocol):
    """A driver that can ask a device what it has. It only reads, whatever the device allows."""

    async def browse(self, browse: Browse) -> None:
        """Tell `browse` all that there is, on a connection of its own; DriverError if the device cannot be reached or
        is lost, AddressError for a range that is none (`where`: ("range",))."""


@runtime_checkable
class SerialLoop(Protocol):
    """An event loop with serial lines of its own, such as that of `cellctl.testing`: a driver opens its lines there."""

    async def create_serial_connection(
        self, protocol_factory: "Callable[[], asyncio.BaseProtocol]", path: str, *, character_s: float
    ) -> "tuple[asyncio.Transport, asyncio.BaseProtocol]":
        """Open a line for this user alone, on which a character takes `character_s`; OSError if that cannot be."""


class Tap(Protocol):
    """Listens in on the connections of a device."""

    def listening(self, protocol: "asyncio.BaseProtocol") -> "asyncio.BaseProtocol":
        """A `Listening` between `protocol` and its transport; every byte passes at once and as it is."""


@runtime_checkable
class Listening(Protocol):
    """A protocol that a tap has put between."""

    @property
    def ends(self) -> "tuple[asyncio.Transport, asyncio.BaseProtocol]":
        """Transport and protocol as they are for the driver, when the connection is made."""


#: Who listens in on the connections made here, if anybody does. A task has that of who created it.
TAP: ContextVar[Tap | None] = ContextVar("tap", default=None)


def tapped(factory: "Callable[[], asyncio.BaseProtocol]") -> "Callable[[], asyncio.BaseProtocol]":
    """The protocol of a new connection, behind whoever listens in.

    The loops of cellctl do this for every connection. A driver that opens something else, such as a serial port, does
    it by itself, and `driver_ends` afterwards.
    """
    tap = TAP.get()
    return factory if tap is None else lambda: tap.listening(factory())


def driver_ends(
    transport: "asyncio.Transport", protocol: "asyncio.BaseProtocol"
) -> "tuple[asyncio.Transport, asyncio.BaseProtocol]":
    """What the driver gets of a connection whose factory was `tapped`."""
    return protocol.ends if isinstance(protocol, Listening) else (transport, protocol)


#: Raises AddressError; found by the entry point group `cellctl.drivers`. May have an `example`: an address as it can
#: stand at `at:`, with which `cellctl check` tries profiles that no device has yet.
DriverFactory = Callable[[Device], Driver]
