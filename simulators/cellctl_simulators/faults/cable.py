"""The cable between a device and its client, and what is wrong with it.

The rule kept here: a cable knows bytes and nothing of what they mean. Without a fault it is not there: what goes in
comes out, at once and as it is. What is late stays in order, but for `reorder`.
"""

import asyncio
from collections.abc import Callable, Iterator
from random import Random

from cellctl.faults import Fault

Deliver = Callable[[bytes], None]

#: Ways through the cable.
TO_DEVICE, TO_CLIENT = "to device", "to client"


class Cable:
    """All faults on the cable of one device."""

    def __init__(self, random: Random) -> None:
        self.faults: list[Fault] = []
        self._random = random

    def without_wire(self) -> tuple[str, float]:
        """What the faults mean where there are no bytes: the trouble that a driver has, and the delay in s.

        Bytes that are lost, torn or wrong are no answers.
        """
        trouble, delay_s = "", 0.0
        for fault in self.faults:
            if fault.kind in ("black_hole", "partition"):
                trouble = "silent"
            elif fault.kind == "no_reply":
                trouble = trouble or "mute"
            elif fault.kind == "delay":
                delay_s += float(fault.options["by"]) / 1e9
        return trouble, delay_s

    def pass_on(self, way: str, data: bytes) -> Iterator[tuple[float, bytes, bool]]:
        """What becomes of a chunk: chunks with how long each takes (s), and whether it waits for the next one."""
        chunks, delay_s, held = [data], 0.0, False
        for fault in self.faults:
            chunks = [piece for chunk in chunks for piece in self._through(fault, way, chunk)]
            delay_s += self._delay_s(fault, sum(map(len, chunks)))
            held = held or (fault.kind == "reorder" and self._hits(fault))
        for number, chunk in enumerate(chunks):
            yield delay_s + number * 1e-6, chunk, held

    def _through(self, fault: Fault, way: str, chunk: bytes) -> list[bytes]:
        match fault.kind:
            case "black_hole" | "partition":
                return []
            case "no_reply":
                return [] if way == TO_CLIENT else [chunk]
            case "loss":
                return [] if self._hits(fault) else [chunk]
            case "duplicate":
                return [chunk, chunk] if self._hits(fault) else [chunk]
            case "truncate":
                return [chunk[: len(chunk) // 2]] if self._hits(fault) else [chunk]
            case "corrupt":
                return [self._corrupted(chunk)] if self._hits(fault) else [chunk]
            case "split":
                return [chunk[at : at + 1] for at in range(len(chunk))]
            case _:
                return [chunk]

    def _delay_s(self, fault: Fault, size: int) -> float:
        if fault.kind == "delay":
            return (float(fault.options["by"]) + self._random.random() * float(fault.options["jitter"])) / 1e9
        return size / float(fault.options["rate"]) if fault.kind == "slow" else 0.0

    def _hits(self, fault: Fault) -> bool:
        return self._random.random() < float(fault.options["share"])

    def _corrupted(self, chunk: bytes) -> bytes:
        at = self._random.randrange(len(chunk))
        return chunk[:at] + bytes([chunk[at] ^ self._random.randrange(1, 256)]) + chunk[at + 1 :]


class Strand:
    """One way through the cable for one connection: `send` delivers, at once or later, what comes through."""

    def __init__(self, cable: Cable, way: str, deliver: Deliver) -> None:
        self._cable, self._way, self._deliver = cable, way, deliver
        self._loop = asyncio.get_running_loop()
        self._last_s = 0.0
        self._held: list[bytes] = []
        self._open = True

    def send(self, data: bytes) -> None:
        """Put bytes in."""
        if not self._cable.faults and self._last_s <= self._loop.time() and not self._held:
            self._deliver(data)
            return
        for delay_s, chunk, held in self._cable.pass_on(self._way, data):
            if held and not self._held:
                self._held.append(chunk)
                continue
            for one in (chunk, *self._held):
                self._later(delay_s, one)
            self._held.clear()

    def cut(self) -> None:
        """Deliver nothing more."""
        self._open = False

    def _later(self, delay_s: float, chunk: bytes) -> None:
        if not chunk:
            return
        self._last_s = max(self._loop.time() + delay_s, self._last_s + 1e-9)
        self._loop.call_at(self._last_s, self._arrive, chunk)

    def _arrive(self, chunk: bytes) -> None:
        if self._open:
            self._deliver(chunk)


class CabledProtocol(asyncio.Protocol):
    """A protocol of somebody else's at the far end of a cable."""

    def __init__(self, inner: asyncio.Protocol, cable: Cable) -> None:
        self._inner, self._cable = inner, cable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the cable between."""
        assert isinstance(transport, asyncio.Transport)
        self._out = Strand(self._cable, TO_CLIENT, transport.write)
        self._in = Strand(self._cable, TO_DEVICE, self._inner.data_received)
        self._inner.connection_made(_CabledTransport(transport, self._out))

    def data_received(self, data: bytes) -> None:
        """What comes from the client."""
        self._in.send(data)

    def eof_received(self) -> bool | None:
        """The client has ended."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing comes any more."""
        self._in.cut()
        self._out.cut()
        self._inner.connection_lost(exc)


class _CabledTransport(asyncio.Transport):
    """The transport that such a protocol is given: as the real one, but that what is written goes through the cable."""

    def __init__(self, real: asyncio.Transport, out: Strand) -> None:
        super().__init__()
        self._real, self._out = real, out

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._out.send(bytes(data))

    def close(self) -> None:
        """Close the real one."""
        self._real.close()

    def abort(self) -> None:
        """Abort the real one."""
        self._real.abort()

    def is_closing(self) -> bool:
        """Whether the real one is."""
        return self._real.is_closing()

    def get_extra_info(self, name: str, default: object = None) -> object:
        """What the real one says."""
        return self._real.get_extra_info(name, default)
