"""Profiles as devices, without the model: only what these tests need of the files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cellctl.driver import Command, CommandClass, Device, Point, Signal, duration_ns

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "drivers" / "cellctl_drivers" / "profiles"
OF_THE_CELL = ROOT / "recipes" / "battery-module" / "profiles"
ALL = sorted([*BUNDLED.rglob("*.yaml"), *OF_THE_CELL.glob("*.yaml")])

_OF_THE_CORE = {
    "type",
    "unit",
    "read",
    "write",
    "every",
    "scale",
    "offset",
    "range",
    "bad_if",
    "verify",
    "safe",
    "stale",
    "latch",
    "text",
}
_OF_COMMANDS = {"parameters", "until", "timeout", "class", "probe", "running", "unsent", "result", "safe"}


def load(path: Path) -> dict[str, Any]:
    """The profile with what it extends."""
    content: dict[str, Any] = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    extends = content["profile"].get("extends")
    if extends is None:
        return content
    vendor, _, model = extends.partition(".")
    return _laid(load(BUNDLED / vendor / f"{model}.yaml"), content, deep=("signals", "commands"))


def _laid(below: dict[str, Any], above: dict[str, Any], *, deep: tuple[str, ...] = ()) -> dict[str, Any]:
    """`above` laid over `below`: sections key by key, and signals and commands row by row and key by key."""
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        lower, upper = below[key], above[key]
        if isinstance(lower, dict) and isinstance(upper, dict):
            merged[key] = {**lower, **upper}
            if key in deep:
                both = lower.keys() & upper.keys()
                merged[key] |= {name: {**lower[name], **upper[name]} for name in both}
    return merged


def device(path: Path, address: str, *, every: str | None = None) -> Device:
    """The device that the profile at `path` describes."""
    content = load(path)
    settings = next((content[key] for key in ("modbus", "opcua", "line") if key in content), {})
    return Device(
        "dev",
        content["profile"]["protocol"],
        address,
        {name: _point(name, row, every) for name, row in content["signals"].items()},
        {name: _command(name, row) for name, row in content.get("commands", {}).items()},
        settings,
        None if content.get("identify") == "none" else content.get("identify"),
        content.get("watchdog"),
    )


def _point(name: str, row: Mapping[str, Any], every: str | None) -> Point:
    low, _, high = str(row.get("range", "..")).partition("..")
    bad_if = row.get("bad_if", [])
    signal = Signal(
        f"dev.{name}",
        row["type"],
        row.get("unit", ""),
        "write" in row,
        float(low) if low else None,
        float(high) if high else None,
        verify=row.get("verify"),
    )
    return Point(
        signal,
        row.get("read"),
        row.get("write"),
        duration_ns(every or row.get("every", "1 s")),
        row.get("scale", 1.0),
        row.get("offset", 0.0),
        tuple(bad_if) if isinstance(bad_if, list) else (bad_if,),
        {key: value for key, value in row.items() if key not in _OF_THE_CORE},
    )


def _command(name: str, row: Mapping[str, Any]) -> Command:
    options = {key: value for key, value in row.items() if key not in _OF_COMMANDS}
    return Command(name, CommandClass(row["class"]), duration_ns(row["timeout"]), options)
