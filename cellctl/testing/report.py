"""What a test that fails tells of its cell.

The rule kept here: all that is needed to see the cause, and the line that repeats it, without running it again.
"""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import cellctl

if TYPE_CHECKING:
    from cellctl.testing.bench import Bench

#: The last entries of the journal that a report shows.
ENTRIES_SHOWN = 20


def told(bench: "Bench", entries: int = ENTRIES_SHOWN) -> str:
    """State, causes, open waits with their reasons, and the last entries with their virtual times."""
    lines = [*_now(bench), *_entries(bench, entries)]
    return "\n".join(lines)


def product() -> str:
    """What is tested: the version, and the commit if it is a working copy."""
    folder = Path(cellctl.__file__).parent
    try:
        told = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return f"cellctl {cellctl.__version__}"
    commit = told.stdout.strip() if told.returncode == 0 else ""
    return f"cellctl {cellctl.__version__}" + (f", commit {commit}" if commit else "")


def _now(bench: "Bench") -> list[str]:
    if not bench.alive:
        return [f"at {bench.time_s():.3f} s control does not run"]
    view = bench.view
    lines = [f"at {bench.time_s():.3f} s the cell is {view.state}"]
    lines += [f"  because: {cause.text}" for cause in view.why]
    lines += [f"  asked: {question.id}: {question.text} ({', '.join(question.choices)})" for question in view.questions]
    lines += [f"  {part.serial}: {wait}" for part in view.parts for wait in part.waits]
    lines += [
        f"  {device.id} is {device.link}: {device.reason}" for device in view.devices if device.link != "connected"
    ]
    lines += [
        f"  {device} is {replay.recording.name}"
        + (f", which waits for {wanted}" if (wanted := replay.waits_for) else "")
        for device, replay in bench.field.replays.items()
    ]
    return lines


def _entries(bench: "Bench", count: int) -> list[str]:
    bench.flush()
    last = bench.records.latest(limit=count)
    begin_ns = bench.loop.utc_ns() - round(bench.time_s() * 1e9)
    return [
        f"  {(entry.time_ns - begin_ns) / 1e9:10.3f} s  {entry.kind:<12} {json.dumps(dict(entry.data), sort_keys=True)}"
        for entry in last
    ]
