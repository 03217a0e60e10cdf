"""Ask a device what it has: `cellctl browse`."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cellctl.cli.io_points import Where, device_of, pointing, seconds
from cellctl.cli.terminal import FAILED, INTERRUPTED, INVALID, UNREACHABLE, Failure, document, say, sentence, table

if TYPE_CHECKING:
    from cellctl.commission.survey import Survey
    from cellctl.driver import Device, Finding

SCHEMA = "cellctl.browse/1"

#: So many of the same in a row are shown as one.
_FOLDED_MIN = 4
_NUMBERED = re.compile(r"(?P<name>.*?)(?P<number>\d+)\Z")


@click.command()
@click.argument("device", default="")
@click.option("--range", "ranges", multiple=True, help="Where to look: holding:0-200 (Modbus), a path (OPC UA).")
@click.option("--max", "count_max", type=click.IntRange(1), default=1000, show_default=True, help="How many at most.")
@click.option("--depth", type=click.IntRange(1, 30), default=8, show_default=True, help="How deep (OPC UA).")
@click.option("--listen", default="10 s", show_default=True, help="How long to listen (serial lines).")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting, such as min_pause=20ms.")
@click.option("--id", "name", default="", help="The id of the profile that is drafted.  [of the device]")
@click.option("--yaml", "as_yaml", is_flag=True, help="Write the draft of a profile.")
@click.option(
    "--into", type=click.Path(path_type=Path), metavar="PROFILE.yaml", help="Add it to a profile, or a new one."
)
@click.option("--write", is_flag=True, help="Write what is shown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pointing
def browse(where: Where, device: str, ranges: Sequence[str], *, as_yaml: bool, as_json: bool, **limits: object) -> int:
    """Ask a device what it has. Nothing is written to it.

    DEVICE is one of the cell; or name one by --at, with --profile if there is one for it. An OPC UA server shows its
    objects and variables; of a Modbus device it is tried which registers and bits answer; a line is listened to.
    """
    from cellctl.commission.survey import Survey
    from cellctl.driver import AddressError

    into = limits["into"] if isinstance(limits["into"], Path) else None
    if as_yaml + as_json + (into is not None) > 1:
        raise click.UsageError("--yaml, --into and --json do not go together")
    if limits["write"] and into is None:
        raise click.UsageError("--write needs --into PROFILE.yaml")
    asked = Survey(tuple(ranges), int(str(limits["depth"])), int(str(limits["count_max"])), tell=say)
    asked.listen_s = seconds(str(limits["listen"]))
    try:
        meant = _device(device, where, _settings(limits["settings"]))
        trouble = _surveyed(meant, asked)
    except AddressError as error:
        option = f"--{error.where[0]}" if error.where[:1] in (("at",), ("range",)) else "--set"
        raise click.UsageError(f"{option}: {error}") from error
    if as_json:
        document(SCHEMA, {"device": meant.id, "at": meant.address, **_plain(asked)})
    elif as_yaml or into is not None:
        drafted = replace(meant, settings=_settings(limits["settings"]))
        _draft(drafted, asked, str(limits["name"]), into, write=bool(limits["write"]))
    else:
        _show(asked)
    for reason in asked.left_out:
        say(f"Left out: {reason}.")
    if trouble is not None:
        raise trouble
    return 0


def _settings(given: object) -> dict[str, object]:
    settings: dict[str, object] = {}
    for text in given if isinstance(given, tuple) else ():
        key, equals, value = str(text).partition("=")
        if not equals or not key:
            raise click.UsageError(f"--set: {text!r} is not KEY=VALUE")
        settings[key.strip()] = value.strip()
    return settings


def _device(name: str, where: Where, settings: dict[str, object]) -> "Device":
    """The device that is meant."""
    from cellctl.commission.survey import device_at
    from cellctl.pki import PKI_FOLDER
    from cellctl.records import STATE_FOLDER

    if where.at and not where.profile:
        return replace(device_at(where.at, settings), pki=Path(STATE_FOLDER) / PKI_FOLDER)
    found, _ = device_of((name,) if name else (), where)
    return replace(found.device, settings={**found.device.settings, **settings})


def _surveyed(device: "Device", asked: "Survey") -> Failure | None:
    """Ask; what went wrong after something was found is told at the end."""
    from cellctl.commission.survey import BrowseMissing, survey
    from cellctl.driver import DriverError

    try:
        asyncio.run(survey(device, asked))
    except BrowseMissing as missing:
        raise Failure(str(missing), FAILED) from missing
    except DriverError as error:
        failure = Failure(sentence(str(error)), UNREACHABLE, str(error.__cause__ or ""))
        if not asked.findings:
            raise failure from error
        return failure
    except KeyboardInterrupt:
        if not asked.findings:
            raise
        return Failure("Interrupted: there may be more.", INTERRUPTED)
    return None


def _draft(device: "Device", asked: "Survey", name: str, into: Path | None, *, write: bool) -> None:
    """Print the draft of a profile, or lay it beside the one `into` names, with those settings of the device that were
    given here."""
    from cellctl.cli.files import tell
    from cellctl.cli.imports import lay_beside, offer
    from cellctl.commission.draft import Draft, id_of, problems_of, rows_of
    from cellctl.model.profile import section_of

    rows = rows_of(asked.findings)
    if not rows:
        raise Failure("Nothing was found that could be a signal.", FAILED, "; ".join(asked.left_out))
    today = datetime.now(UTC).date().isoformat()
    head = {
        "id": id_of(name or (into.stem if into is not None else device.id)),
        "version": 1,
        "protocol": device.protocol,
        "at": device.address,
    }
    head |= {"source": f"told by the device, {today}", "confidence": "B"}
    section = section_of(device.protocol)
    sections = {**asked.sections, section: {**asked.sections.get(section, {}), **device.settings}}
    if into is not None and into.exists():
        lay_beside(into, device.protocol, sections, rows, write=write)
        return
    remarks = (
        f"A draft: what the device at {device.address} told of itself.",
        "Keep the rows that the cell needs, name them, and hold units, ranges and types against the manual.",
    )
    text = Draft(head, sections, rows, remarks).text()
    if into is not None:
        offer(into, "", text, write)
    else:
        click.echo(text, nl=False)
    say(f"{len(rows)} signals of {len(asked.findings)} findings. Next: keep what the cell needs, then cellctl check.")
    if into is None and (problems := problems_of(text)):
        tell(problems)
        raise Failure("The draft does not pass the check.", INVALID)


def _show(asked: "Survey") -> None:
    rows = [row for run in _runs(asked.findings) for row in _rows(run)]
    if rows:
        table(("name", "type", "access", "value", "address"), rows)
    else:
        say("Nothing was found.")


def _runs(findings: "Sequence[Finding]") -> "list[list[Finding]]":
    """Neighbours that are numbered on and hold the same."""
    numbered = [_NUMBERED.match(each.path) for each in findings]
    keys = [
        (match["name"] if match else each.path, int(match["number"]) - at if match else at, each.kind, each.value)
        for at, (each, match) in enumerate(zip(findings, numbered, strict=True))
    ]
    pairs = zip(keys, findings, strict=True)
    return [[finding for _, finding in run] for _, run in groupby(pairs, key=lambda pair: pair[0])]


def _rows(run: "list[Finding]") -> list[tuple[object, ...]]:
    if len(run) < _FOLDED_MIN or any(each.row.get("write") for each in run):
        return [_row(each) for each in run]
    last = _NUMBERED.match(run[-1].path)
    _, *others = _row(run[0])
    return [(f"{run[0].path}..{last['number'] if last else ''}", *others[:-1], "")]


def _row(finding: "Finding") -> tuple[object, ...]:
    unit = "" if finding.value.endswith(finding.unit) else f" {finding.unit}"
    value = f"{finding.value}{unit}" + (f"  ({finding.hint})" if finding.hint else "")
    address = "" if finding.address == finding.path else finding.address
    return finding.path, finding.kind, finding.access, value, address


def _plain(asked: "Survey") -> dict[str, object]:
    findings = [{**asdict(each), "row": dict(each.row)} for each in asked.findings]
    return {"findings": findings, "left_out": asked.left_out}
