"""Samples for the tests of imports: a list, and what is in a profile."""

import json
from pathlib import Path

from tests.cli.terminal import run

LISTS = Path(__file__).parent / "lists"

PRESS = """name,address,type,unit,access,description
force set,holding 10 uint16,uint16,N,rw,what it shall press with
Force,30013,float32,N,r,
Temperature,30020,int16,°C,r,"of the ram, in front"
Guard closed,10004,bool,,r,
Door,40030.3,bool,,r,
Serial,400041,string(16),,r,
heater,coil 5,bool,,rw,
"""


def rows(text: str) -> dict[str, str]:
    _, _, signals = text.partition("signals:\n")
    lines = [line.strip() for line in signals.splitlines() if line.startswith("  ")]
    return {line.partition(": ")[0]: line.partition(": ")[2] for line in lines}


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def passes(profile: Path) -> None:
    """A draft is right, but for what nobody but a person can add: how the device is known."""
    shown = run("check", str(profile), "--json")
    problems = json.loads(shown.out)["problems"]
    assert [each["code"] for each in problems] in ([], ["W318"]), problems
