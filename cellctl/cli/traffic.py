"""The raw traffic of a device: `cellctl traffic FILE`, and what `cellctl run` does with --record and --replay."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from cellctl.cli.terminal import Failure, document, paint, say, visible

if TYPE_CHECKING:
    from cellctl.driver import Device, Driver, DriverFactory
    from cellctl.model import CellModel
    from cellctl.runtime.control import Beside
    from cellctl.testing.traffic.recording import Entry, Head, Recording

SCHEMA = "cellctl.traffic/1"


class DeviceFile(click.ParamType[tuple[str, Path]]):
    """A device of the cell and a file."""

    name = "device=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Both; a usage error if one is missing."""
        device, _, file = str(value).partition("=")
        if not device or not file:
            self.fail(f"{value!r} is not DEVICE=FILE, such as laser=laser.traffic.", param, ctx)
        return device, Path(file)


Files = Sequence[tuple[str, Path]]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def traffic(file: Path, as_json: bool) -> None:
    """Show what went over the wire of a device: FILE is a recording of `cellctl run --record`, or of a test.

    Seconds from its beginning, the connection, > to the device or < from it, the bytes, and what they mean.
    """
    from cellctl.testing.traffic.recording import TrafficError, read_recording
    from cellctl.testing.traffic.told import told

    try:
        recording = read_recording(file)
    except TrafficError as error:
        raise Failure(str(error)) from error
    rows = list(told(recording))
    if as_json:
        document(SCHEMA, _plain(recording, rows))
    else:
        head = recording.head
        simulated = ", simulated" if head.simulated else ""
        click.echo(f"{head.device} ({head.profile}, {head.address}:{simulated}), {head.begun}, {head.product}")
        for entry, mark, text in rows:
            line = visible(f"{entry.at_ns / 1e9:12.6f}  {entry.connection or '':>2}  {mark} {text}")
            click.echo(line if mark in "<>" else paint(line, "yellow"))
    for note in recording.notes:
        say(f"{file}: {note}")


@dataclass(frozen=True, slots=True)
class Field:
    """The devices of a run: the cell with the addresses of those that are recordings, what runs beside for them, and
    the drivers, on some of which somebody listens in."""

    model: "CellModel"
    beside: "Sequence[Beside]"
    drivers: "Callable[[str], DriverFactory]"


@contextmanager
def field(model: "CellModel", simulated: Sequence[str], *, record: Files, replay: Files) -> Iterator[Field]:
    """Recordings in the place of devices, and new recordings, for the length of the block; Failure if a file cannot be
    used, a usage error for a device that is not there. `simulated` are those that will be."""
    from cellctl.testing.traffic.recording import TrafficError

    with ExitStack() as stack:
        try:
            for device, _ in (*record, *replay):
                _check_known(device, model)
            beside, addresses = [], {}
            for device, path in replay:
                addresses[device], run = _replayed(model.devices[device], path, stack)
                beside.append((f"recorded {device}", run))
            model = model.simulated(addresses)
            taps = {device: _tap(_head(model, device, simulated), path, stack) for device, path in record}
        except TrafficError as error:
            raise Failure(str(error)) from error
        yield Field(model, beside, _drivers(taps))


def _check_known(device: str, model: "CellModel") -> None:
    from cellctl.gateway.told import unknown

    if device not in model.devices:
        raise click.UsageError(unknown("device", device, model.devices))


def _replayed(device: "Device", path: Path, stack: ExitStack) -> tuple[str, Callable[[], Any]]:
    """The address of the recording, and what serves it."""
    from cellctl.testing.traffic.device import served
    from cellctl.testing.traffic.recording import read_recording
    from cellctl.testing.traffic.replay import Replay, check_fits

    recording = read_recording(path)
    check_fits(recording, device)
    for note in recording.notes:
        say(f"{path}: {note}")
    place = stack.enter_context(served(Replay(recording), urlsplit(device.address).query))
    say(f"{device.id} is the recording {path}.")
    return place.at, place.run


def _head(model: "CellModel", device: str, simulated: Sequence[str]) -> "Head":
    from cellctl.testing.traffic.recording import head_of

    told = model.devices[device]
    told = replace(told, simulated=told.simulated or device in simulated)
    return head_of(told, model.profiles[device], time.time_ns())


def _tap(head: "Head", path: Path, stack: ExitStack) -> Any:
    from cellctl.testing.traffic.file import LIMIT_BYTES, recording_to
    from cellctl.testing.traffic.tap import LinkTap

    file = stack.enter_context(recording_to(path, head))
    limit = f"of more than {LIMIT_BYTES // 1_000_000} MB the middle is left out"
    say(f"What goes over the wire of {head.device}, passwords too, is recorded in {path}; {limit}.")
    return LinkTap(file.put)


def _drivers(taps: dict[str, Any]) -> "Callable[[str], DriverFactory]":
    from cellctl.model import driver_for
    from cellctl.testing.traffic.tap import TappedDriver

    def factory(protocol: str) -> "DriverFactory":
        def made(device: "Device") -> "Driver":
            driver = driver_for(protocol)(device)
            return TappedDriver(driver, taps[device.id]) if device.id in taps else driver

        return made

    return factory


def _plain(recording: "Recording", rows: "Sequence[tuple[Entry, str, str]]") -> dict[str, Any]:
    entries = [
        {
            "s": entry.at_ns / 1e9,
            "event": entry.event.value,
            "connection": entry.connection,
            "number": entry.number,
            "hex": entry.data.hex(),
            "told": text,
        }
        for entry, _, text in rows
    ]
    return {"recording": asdict(recording.head), "notes": list(recording.notes), "entries": entries}
