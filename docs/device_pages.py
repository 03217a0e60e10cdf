"""The pages of the device types that travel with cellctl, drawn from their profiles.

The rule kept here: a page says nothing that is not in the profile.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from cellctl.core.units import duration_text
from cellctl.model.drivers import driver_for
from cellctl.model.problems import Report
from cellctl.model.profile import Profile, Profiles, bundled
from cellctl.model.quantity import plain
from cellctl.model.shapes import CommandRow, SignalRow

Page = Callable[..., str]
Table = Callable[[tuple[str, ...], Iterable[tuple[object, ...]]], str]

CONFIDENCE = {
    "A": "from a page of the manual, or two independent drivers agree",
    "B": "from one driver or source; confirm it on your device",
}


def pages(page: Page, table: Table) -> Mapping[str, Callable[[], str]]:
    """File name -> what draws it."""
    drawn: dict[str, Callable[[], str]] = {"reference/devices.md": partial(_index, page, table)}
    for name in sorted(bundled()):
        drawn[f"reference/devices/{name}.md"] = partial(_device, name, page, table)
    return drawn


@cache
def _profile(name: str) -> Profile:
    profile = Profiles(Path(), Report()).get(name)
    assert profile is not None
    return profile


@cache
def _title(name: str) -> str:
    return bundled()[name].read_text("utf-8").splitlines()[0].removeprefix("#").strip()


def _index(page: Page, table: Table) -> str:
    rows = []
    for name in sorted(bundled()):
        file = _profile(name).file
        head = file.profile
        rows.append((head.vendor, f"[{name}](devices/{name}.md)", _title(name), head.protocol, head.confidence))
    grades = " ".join(f"{grade}: {told}." for grade, told in CONFIDENCE.items())
    return page(
        "Device types",
        "The profiles that travel with cellctl. Each was written from public documents, none was tried on the real"
        f" device by us: the confidence says how sure its source is. {grades} A row of a profile may have its own. Each"
        " has golden vectors, which `cellctl check` holds it against, and a simulated device with its habits.",
        table(("vendor", "profile", "is", "protocol", "confidence"), rows),
        "Yours is not here? [Connect a device](../how-to/connect-a-device.md) shows how to write a profile.",
    )


def _device(name: str, page: Page, table: Table) -> str:
    profile = _profile(name)
    file = profile.file
    head = file.profile
    example = head.at or getattr(driver_for(head.protocol), "example", "")
    blocks = [
        _title(name),
        f'```yaml\ndevices:\n  NAME: {{profile: {name}, at: "{example}"}}\n```',
        table(
            ("", ""),
            [
                (told, value)
                for told, value in (
                    ("vendor", head.vendor),
                    ("version", head.version),
                    ("source", head.source),
                    ("confidence", f"{head.confidence}: {CONFIDENCE.get(head.confidence or '', '')}"),
                    (f"`{profile.section}:`", _code(profile.settings)),
                    ("`identify:`", _code(profile.identify or {}) or "none: it is not asked what it is"),
                    ("`watchdog:`", _code(file.watchdog or {})),
                    ("`lease:`", _code(file.lease.model_dump() if file.lease else {})),
                    ("extends", head.extends or ""),
                    ("golden vectors", len(file.golden)),
                    ("simulated by", f"`{file.sim.model}`" if file.sim else ""),
                )
                if value
            ],
        ),
    ]
    if file.signals:
        rows = [_signal(each, row) for each, row in file.signals.items()]
        blocks += ["## Signals", table(("signal", "is", "read", "written", "every", "range", ""), rows)]
    if file.commands:
        rows = [_command(each, row) for each, row in file.commands.items()]
        blocks += ["## Commands", table(("command", "class", "done when", "within", ""), rows)]
    return page(name, *blocks)


def _signal(name: str, row: SignalRow) -> tuple[object, ...]:
    kind = f"{row.type}, {row.unit}" if row.unit else row.type
    extra = {**({"scale": row.scale} if row.scale != 1 else {}), **(row.model_extra or {})}
    first = extra.pop("after", "")
    if first:
        every = f"after `{first}`"
    elif row.read is None:
        every = "when it is told" if "hear" in extra else ""
    else:
        every = duration_text(row.every)
    read = " ".join(filter(None, [_code(row.read), _code(extra) if extra else ""]))
    limits = "" if row.range is None else str(row.range)
    return f"`{name}`", kind, read, _code(row.write), every, limits, _words(row)


def _command(name: str, row: CommandRow) -> tuple[object, ...]:
    given = ", ".join(row.parameters)
    safe = "sent by itself on hold, stop and abort" if row.safe else ""
    told = ". ".join(filter(None, [_words(row), safe]))
    return f"`{name}({given})`", row.command_class.value, _code(row.until), duration_text(row.timeout), told


def _words(row: SignalRow | CommandRow) -> str:
    text = plain(row.text) if row.text else ""
    grade = f"confidence {row.confidence}" if row.confidence else ""
    return ". ".join(filter(None, [text, row.source, grade])).replace("|", "\\|")


def _code(value: Any) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(
            f"{key}: {each!r}" if isinstance(each, str) else f"{key}: {each}" for key, each in value.items()
        )
    return f"`{value}`".replace("|", "\\|") if value else ""
