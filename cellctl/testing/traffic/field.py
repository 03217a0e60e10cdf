"""The field of a test: the traffic of its devices, and recordings in their place.

The rule kept here: this is about bytes on a wire. A test without a wire has none, and is told so at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cellctl.testing.names import known
from cellctl.testing.traffic.device import SERIAL, RecordedDevice
from cellctl.testing.traffic.recording import Entry, Head, Kept, Recording, head_of, read_recording
from cellctl.testing.traffic.replay import Replay, check_fits
from cellctl.testing.traffic.tap import LinkTap

if TYPE_CHECKING:
    from cellctl.testing.bench import Bench


class NoWire(AssertionError):  # noqa: N818 - what is the case
    """The test runs without wires, or nobody listens in on them."""


class NeverRecorded(AssertionError):  # noqa: N818 - what is the case
    """A driver asked a recorded device something that the recording does not know."""


class Traffic:
    """The traffic of one device in this test, so far: it grows."""

    def __init__(self, head: Head, kept: Kept) -> None:
        self._head, self._kept = head, kept

    @property
    def entries(self) -> Sequence[Entry]:
        """What has happened, oldest first."""
        return self._kept.entries()

    @property
    def recording(self) -> Recording:
        """What was recorded until now."""
        return Recording(self._head, tuple(self.entries))

    def save(self, path: Path | str) -> None:
        """Write what was recorded until now to a file."""
        self.recording.save(path)


class Field:
    """`field`: what goes over the wires of a test, from its beginning. Files lie in `folder`, that of the test, if
    nothing else is said."""

    def __init__(self, bench: "Bench") -> None:
        self._bench = bench
        self.folder = Path()
        self._traffic: dict[str, Traffic] = {}
        self._to_save: dict[Path, Traffic] = {}
        self.replays: dict[str, Replay] = {}  # by device
        self._taps: dict[str, LinkTap] = {}
        self.strict = True  # whether a request that was never recorded fails the test

    def tap(self, device: str) -> LinkTap:
        """The tap that listens in on a device, from the first time it is asked for."""
        if device in self._taps:
            return self._taps[device]
        model, loop = self._bench.setup.model, self._bench.loop
        kept = Kept()
        head = head_of(model.devices[device], model.profiles[device], loop.utc_ns())
        self._traffic[device] = Traffic(replace(head, simulated=True), kept)
        self._taps[device] = LinkTap(kept.put, loop.monotonic_ns)
        return self._taps[device]

    def record(self, device: str, path: Path | str | None = None) -> Traffic:
        """The traffic of a device since the cell was started; written to `path` at the end of the test, if it is given.

        NoWire, or UnknownName.
        """
        self._check_wire()
        if not self._bench.setup.tapped:
            raise NoWire("nobody listens in: Setup(..., tapped=True), which the fixture field sees to")
        traffic = self._traffic[known("device", device, self._traffic)]
        if path is not None:
            self._to_save[self.folder / path] = traffic
        return traffic

    async def replay(self, device: str, recording: Recording | Path | str) -> Replay:
        """Put a recording in the place of a device; its driver, if it is connected, loses its connection.

        A request that was never recorded fails the test there, with `NeverRecorded`. TrafficError for a file that
        cannot be used; NoWire, or UnknownName.
        """
        self._check_wire()
        simulation, loop = self._bench.simulation, self._bench.loop
        address = simulation.addresses[known("device", device, simulation.addresses)]
        replay = Replay(recording if isinstance(recording, Recording) else read_recording(self.folder / recording))
        check_fits(replay.recording, self._bench.setup.model.devices[device])
        await simulation.stop_server(device)
        self.replays[device] = replay

        def connection() -> RecordedDevice:
            return RecordedDevice(replay, self._never_recorded)

        at = urlsplit(address)
        if at.scheme in SERIAL:
            await loop.create_serial_server(connection, at.path)
        else:
            await loop.create_server(connection, at.hostname, at.port)
        return replay

    def end(self) -> None:
        """The test is over: write what is to be written."""
        for path, traffic in self._to_save.items():
            traffic.save(path)

    def _never_recorded(self, told: str) -> None:
        if self.strict:
            self._bench.loop.fail(NeverRecorded(told))

    def _check_wire(self) -> None:
        if self._bench.setup.level != "wire":
            raise NoWire("field needs the bytes of a wire: @pytest.mark.cell(..., wire=True)")
