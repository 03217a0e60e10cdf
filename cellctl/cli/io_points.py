"""The points of one device: `cellctl io read|watch|write|call`."""

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.asking import agreed
from cellctl.cli.io_cell import model_of, unusable
from cellctl.cli.places import state_beside
from cellctl.cli.terminal import (
    FAILED,
    REFUSED,
    UNREACHABLE,
    Failure,
    clock,
    document,
    number,
    say,
    sentence,
    table,
    visible,
)

if TYPE_CHECKING:
    from cellctl.commission.found import Found
    from cellctl.commission.visit import Answer, Visit
    from cellctl.core.signal import Sample, Signal, Value
    from cellctl.driver import Order

SCHEMA = "cellctl.io/1"

_WORDS: "Mapping[str, Value]" = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Where:
    """Where the device is: in a cell, or, with a profile, at an address."""

    cell: Path
    profile: str
    at: str


def pointing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where the device is; the command gets a `Where` as its first argument."""

    @wraps(command)
    def pointed(cell: Path, profile: str, at: str, **arguments: Any) -> Any:
        return command(Where(cell, profile, at), **arguments)

    for option in (
        click.option("--at", default="", help="The address of a device that is in no cell."),
        click.option("--profile", default="", help="Its profile: an id, or a file."),
        click.option("--cell", type=click.Path(path_type=Path), default=Path(), help="The cell, if it is not here."),
    ):
        pointed = option(pointed)
    return pointed


@click.command()
@click.argument("names", nargs=-1)
@click.option("--timeout", "limit", default="5 s", show_default=True, help="How long a first value may take.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pointing
def read(where: Where, names: Sequence[str], limit: str, as_json: bool) -> int:
    """Read signals once: those named, or all of a device. Exit 4 if one of them is not good."""
    found, wanted = _found(names, where)
    limit_s = seconds(limit)

    async def work(visit: "Visit") -> "tuple[str, Mapping[str, Sample]]":
        return visit.identity, await visit.read(wanted, limit_s)

    identity, samples = visited(found, work)
    if as_json:
        document(SCHEMA, {"identity": identity, "signals": {name: _plain(samples.get(name)) for name in wanted}})
    else:
        say(f"{found.device.id} at {found.device.address}{f': {identity}' if identity else ''}")
        table(("signal", "value", "quality", ""), [_row(found, name, samples.get(name)) for name in wanted])
    return 0 if all(name in samples and samples[name].good for name in wanted) else UNREACHABLE


@click.command()
@click.argument("names", nargs=-1)
@click.option("--for", "limit", default="", help="For how long, such as '30 s'; until Ctrl-C if left out.")
@pointing
def watch(where: Where, names: Sequence[str], limit: str) -> None:
    """Show every change of signals: those named, or all of a device."""
    found, wanted = _found(names, where)
    limit_s = seconds(limit) if limit else None
    shown: dict[str, tuple[object, ...]] = {}

    def heard(sample: "Sample") -> None:
        name = sample.signal.partition(".")[2]
        told = (sample.value, sample.quality, sample.reason)
        if name in wanted and shown.get(name) != told:
            shown[name] = told
            line = "  ".join([clock(sample.received_ns), *map(str, _row(found, name, sample))])
            click.echo(visible(line).rstrip())

    async def work(visit: "Visit") -> None:
        visit.heard = heard
        for sample in visit.samples.values():
            heard(sample)
        await visit.lasts(limit_s)

    visited(found, work)


@click.command()
@click.argument("name")
@click.argument("value")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent; the device is not touched.")
@pointing
def write(where: Where, name: str, value: str, *, yes: bool, dry_run: bool) -> int:
    """Write a signal: VALUE with its unit, such as '80 degC'. It is read back as its profile says."""
    from cellctl.core.messages import CommandClass, Write
    from cellctl.core.signal import FAR_NS

    found, (point,) = _found((name,), where)
    signal = found.signals[point]
    wanted = _value(value, signal)
    if not signal.writable:
        raise Failure(f"{point} can only be read.", REFUSED)
    if dry_run:
        return _show(found, Write(1, signal.id, wanted, FAR_NS, CommandClass.LEVEL))
    check_cell_rests(where)

    async def work(visit: "Visit") -> "Answer | None":
        before = (await visit.read([point], 2.0)).get(point)
        held = "" if before is None else f" (now {number(before.value, signal.unit)})"
        if not yes and not await agreed(f"Write {number(wanted, signal.unit)} to {name}{held}?"):
            return None
        return await visit.write(point, wanted)

    return _told(name, visited(found, work))


@click.command()
@click.argument("name")
@click.argument("arguments", nargs=-1)
@click.option("--token", type=click.IntRange(1, 65_535), help="The number of the execution.  [of the clock]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent; the device is not touched.")
@pointing
def call(where: Where, name: str, arguments: Sequence[str], *, token: int | None, yes: bool, dry_run: bool) -> int:
    """Send a command of a device once: NAME is DEVICE.COMMAND, ARGUMENTS are NAME=VALUE. What moves, moves.

    It is waited for until the device has done it, as its profile says.
    """
    from cellctl.commission.visit import Answer
    from cellctl.core.condition import fill
    from cellctl.core.messages import Call
    from cellctl.core.parameter import bind
    from cellctl.core.signal import FAR_NS
    from cellctl.driver import Outcome

    found, command = _command(name, where)
    spec = found.commands[command]
    given = {}
    for argument in arguments:
        key, equals, text = argument.partition("=")
        if not equals or key not in spec.parameters:
            raise click.UsageError(f"{argument!r} is not NAME=VALUE; there are {', '.join(spec.parameters) or 'none'}")
        given[key] = _argument(text, spec.parameters[key])
    try:
        bound = spec.sent(bind(spec.parameters, given))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    number_ = token or int(time.time()) % 65_535 + 1
    if dry_run:
        return _show(found, Call(1, found.device.id, command, FAR_NS, bound, number_, spec.command_class))
    check_cell_rests(where)

    async def work(visit: "Visit") -> "Answer | None":
        text = f"Send {name}({', '.join(arguments)}), of class {spec.command_class.value}, to {found.device.address}?"
        if not yes and not await agreed(text):
            return None
        sent_ns = visit.now()
        answer = await visit.call(command, bound, number_)
        if spec.until is not None and answer.outcome is Outcome.CONFIRMED:
            until = fill(spec.until, {**bound, "token": number_})
            if missing := await visit.until(until, sent_ns, spec.timeout_ns / 1e9):
                return Answer(Outcome.UNKNOWN, answer.result, f"it was sent, but waits for {'; '.join(missing)}")
        return answer

    return _told(name, visited(found, work))


# --- which device -----------------------------------------------------------------------------------------------


def _found(names: Sequence[str], where: Where) -> "tuple[Found, list[str]]":
    """The device that is meant, and its signals that are: all that can be read if none is named."""
    found, points = signals_of(names, where)
    return found, points or [name for name, point in found.device.points.items() if point.read is not None]


def signals_of(names: Sequence[str], where: Where) -> "tuple[Found, list[str]]":
    """The device that `names` mean, and the signals of it that they name; a usage error if it has no such signal."""
    from cellctl.gateway.told import unknown

    found, points = device_of(names, where)
    for point in points:
        if point not in found.signals:
            raise click.UsageError(unknown("signal", point, found.signals))
    return found, points


def _command(name: str, where: Where) -> "tuple[Found, str]":
    from cellctl.gateway.told import unknown

    found, points = device_of((name,), where)
    if not points or points[0] not in found.commands:
        raise click.UsageError(unknown("command", points[0] if points else name, found.commands))
    return found, points[0]


def device_of(names: Sequence[str], where: Where) -> "tuple[Found, list[str]]":
    """The device that `names` mean, and what they name in it: nothing if they name the device alone."""
    from cellctl.commission.found import alone, in_cell
    from cellctl.driver import AddressError
    from cellctl.gateway.told import unknown
    from cellctl.model import FilesInvalid
    from cellctl.pki import PKI_FOLDER
    from cellctl.records import STATE_FOLDER

    if bool(where.profile) != bool(where.at):
        raise click.UsageError("--profile and --at go together")
    try:
        if where.profile:
            one = alone(where.profile, where.at)
            device = replace(one.device, pki=Path(STATE_FOLDER) / PKI_FOLDER)
            return replace(one, device=device), list(names)
        model = model_of(where.cell)
    except FilesInvalid as invalid:
        raise unusable(invalid) from invalid
    except AddressError as error:
        raise click.UsageError(f"--at: {error}") from error
    except LookupError as missing:
        raise Failure(f"There is no profile {where.profile!r}: see the list of device types.") from missing
    devices = list(dict.fromkeys(name.partition(".")[0] for name in names))
    if len(devices) != 1:
        raise click.UsageError(f"name one device, or signals of one; there are {', '.join(model.devices)}")
    if devices[0] not in model.devices:
        raise click.UsageError(unknown("device", devices[0], model.devices))
    return in_cell(model, devices[0]), [point for name in names if (point := name.partition(".")[2])]


def check_cell_rests(where: Where) -> None:
    """While a cell runs, it alone writes to its devices."""
    from cellctl.runtime.folder import StateError, claimed

    if where.profile or not state_beside(where.cell).is_dir():
        return
    try:
        with claimed(state_beside(where.cell)):
            pass
    except StateError as error:
        raise Failure(
            "The cell runs, and it alone writes to its devices. End it first.", REFUSED, str(error)
        ) from error


# --- the visit --------------------------------------------------------------------------------------------------


def visited(found: "Found", work: "Callable[[Visit], Coroutine[Any, Any, Any]]") -> Any:
    """Connect, do the work, leave; Failure if the device cannot be reached."""
    from cellctl.commission.visit import Visit
    from cellctl.driver import DriverError
    from cellctl.model import driver_for

    async def main() -> Any:
        async with Visit(found.device, driver_for(found.device.protocol)(found.device)) as visit:
            return await work(visit)

    try:
        return asyncio.run(main())
    except DriverError as error:
        raise Failure(sentence(str(error)), UNREACHABLE, str(error.__cause__ or "")) from error


def _told(name: str, answer: "Answer | None") -> int:
    from cellctl.driver import Outcome

    if answer is None:
        raise click.Abort
    result = ", ".join(f"{key} = {number(value)}" for key, value in answer.result.items())
    if answer.outcome is Outcome.CONFIRMED:
        click.echo(visible(f"{name}: done{f', {result}' if result else ''}"))
        return 0
    codes = {Outcome.REFUSED: REFUSED, Outcome.NOT_SENT: FAILED, Outcome.UNKNOWN: UNREACHABLE}
    raise Failure(f"{name}: {answer.outcome.value.replace('_', ' ')}: {answer.reason}.", codes[answer.outcome], result)


def _show(found: "Found", order: "Order") -> int:
    """What would be sent."""
    try:
        lines = sending(found, order)
    except ValueError as error:
        raise Failure(f"Nothing would be sent: {error}.", REFUSED) from error
    if lines is None:
        raise Failure(f"The driver for {found.device.protocol} cannot say what it would send.")
    for line in lines:
        click.echo(visible(line))
    return 0


def sending(found: "Found", order: "Order") -> list[str] | None:
    """What would be sent for an order, None if the driver cannot say that; ValueError if nothing would be."""
    from cellctl.driver import Teller
    from cellctl.model import driver_for

    driver = driver_for(found.device.protocol)(found.device)
    return driver.sending(order) if isinstance(driver, Teller) else None


# --- values -----------------------------------------------------------------------------------------------------


def fitting(found: "Found", name: str, text: str) -> "Value":
    """A value for a signal from a person: one that its driver would send; a usage error if it is none."""
    from cellctl.core.messages import CommandClass, Write
    from cellctl.core.signal import FAR_NS

    value = _value(text, found.signals[name])
    try:
        sending(found, Write(1, found.signals[name].id, value, FAR_NS, CommandClass.LEVEL))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return value


def _value(text: str, signal: "Signal") -> "Value":
    return fitted(text, signal.type, signal.unit)


def _argument(text: str, parameter: Any) -> "Value":
    return text if parameter.choices else fitted(text, parameter.type, parameter.unit)


def fitted(text: str, kind: str, unit: str) -> "Value":
    """A value from the command line; a bare number is in the signal's own unit."""
    from cellctl.model.problems import Wrong
    from cellctl.model.quantity import Amount, fit, read_amount

    if kind == "text":
        return text
    try:
        if kind == "bool":
            return fit(Amount(_WORDS.get(text.lower(), text)), kind, unit)
        bare = _NUMBER.fullmatch(text)
        return fit(Amount(float(text) if "." in text else int(text), unit) if bare else read_amount(text), kind, unit)
    except Wrong as wrong:
        raise click.UsageError(f"{wrong}; {wrong.hint}" if wrong.hint else str(wrong)) from wrong


def _row(found: "Found", name: str, sample: "Sample | None") -> tuple[object, ...]:
    if sample is None:
        return name, "-", "no answer", ""
    return name, number(sample.value, found.signals[name].unit), sample.quality.name.lower(), sample.reason


def _plain(sample: "Sample | None") -> dict[str, Any] | None:
    if sample is None:
        return None
    quality = sample.quality.name.lower()
    return {"value": sample.value, "quality": quality, "reason": sample.reason, "time_ns": sample.time_ns}


def seconds(text: str) -> float:
    """A length of time from the command line."""
    from cellctl.core.units import UnitError, duration_ns

    try:
        return duration_ns(text) / 1e9
    except UnitError as error:
        raise click.UsageError(str(error)) from error
