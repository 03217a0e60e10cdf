"""Trying the lease of a device: its sign of life is stopped once, and it must trip within its time.

The rule kept here: a lease that was never tried, or not with this profile, counts as none.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cellctl.commission.found import Found
from cellctl.commission.visit import Visit
from cellctl.core.condition import Not
from cellctl.core.units import duration_text
from cellctl.driver import Device, Driver, Outcome
from cellctl.model.device import Lease

#: The file in the state folder that says which leases were tried.
LEASES = "leases.json"
#: The last sign of life may be as old as its period, and the trip is seen some readings later.
LATE_S = 0.5
#: For so long the device must stay as it is while signs of life come, and so long a reset may take.
STEADY_S, RESET_S = 1.5, 10.0
#: A lease is tried again after this.
AGAIN_DAYS = 31

Connect = Callable[[Device], Driver]


@dataclass(frozen=True, slots=True)
class Trial:
    """How a trial ended: how long after the last sign of life it tripped (None: it did not), or why there was none."""

    took_s: float | None = None
    problem: str = ""

    @property
    def shown(self) -> str:
        """In words."""
        return self.problem or f"tripped {self.took_s:.1f} s after the last sign of life"


class TrippedError(Exception):
    """The device is tripped, and has to be reset before its lease can be tried."""


async def reset(found: Found, connect: Connect) -> str:
    """Send the command that resets the trip; why it did not help, or ""."""
    lease = _lease(found)
    async with Visit(found.device, connect(found.device)) as visit:
        answer = await visit.call(lease.reset, token=int(time.time()) % 65_535 + 1)
        if answer.outcome is not Outcome.CONFIRMED:
            return f"{lease.reset}: {answer.outcome.value} {answer.reason}".strip()
        missing = await visit.until(Not(lease.tripped), visit.now(), RESET_S)
        return "; ".join(missing)


async def tried(found: Found, connect: Connect) -> Trial:
    """Stop the sign of life once, and see whether the device trips; TrippedError if it is so already."""
    lease, device = _lease(found), found.device
    async with Visit(device, connect(device)) as visit:
        if await visit.until(Not(lease.tripped), visit.now(), STEADY_S):
            raise TrippedError
        await visit.lasts(STEADY_S)
        if await visit.until(Not(lease.tripped), visit.now(), 1.0):
            return Trial(problem="it trips although signs of life come")
    stopped_s = time.monotonic()
    mute = replace(device, watchdog=None)
    limit_s = lease.within_ns / 1e9 + LATE_S
    async with Visit(mute, connect(mute)) as visit:
        left_s = limit_s - (time.monotonic() - stopped_s)
        if await visit.until(lease.tripped, visit.now(), left_s):
            return Trial(problem=f"no trip within {limit_s:.1f} s")
    return Trial(time.monotonic() - stopped_s)


def expected(found: Found) -> str:
    """What the profile says of the lease."""
    return f"trips within {duration_text(_lease(found).within_ns)}"


# --- which were tried ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """The last trial of a device."""

    time: str
    passed: bool
    shown: str
    by: str
    profile: str


def remember(folder: Path, found: Found, trial: Trial, by: str) -> None:
    """Write the trial down in the state folder; OSError if that cannot be."""
    known = {name: asdict(each) for name, each in _remembered(folder).items()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known[found.device.id] = asdict(Tried(now, not trial.problem, trial.shown, by, " ".join(found.hashes())))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = folder / f".{LEASES}.new"
    scratch.write_text(json.dumps(known, indent=1), encoding="utf-8")
    scratch.replace(folder / LEASES)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the lease of a device is worth: whether it counts, and why in words."""

    device: str
    counts: bool
    text: str
    watched: bool  # there is a watchdog, so there may be a lease


def standing(found: Found, folder: Path) -> Standing:
    """What is known of the lease of a device."""
    device, last = found.device.id, _remembered(folder).get(found.device.id)
    watched = found.device.watchdog is not None
    if not watched:
        return Standing(device, False, "no lease: nothing stops it when this computer is gone", watched)
    if found.lease is None:
        return Standing(device, False, "its profile says no `lease`, so its watchdog cannot be tested", watched)
    if last is None:
        return Standing(device, False, "never tested: counts as none", watched)
    if not last.passed:
        return Standing(device, False, f"failed on {last.time[:10]}: {last.shown}", watched)
    if last.profile != " ".join(found.hashes()):
        return Standing(device, False, "tested with another profile: counts as none", watched)
    days = (datetime.now(UTC) - datetime.fromisoformat(last.time)).days
    due = f"; {days} days ago, test it again" if days > AGAIN_DAYS else ""
    return Standing(device, True, f"tested on {last.time[:10]} by {last.by}: {last.shown}{due}", watched)


def _remembered(folder: Path) -> Mapping[str, Tried]:
    """What was tried; a file that cannot be used says nothing."""
    try:
        told: dict[str, dict[str, Any]] = json.loads((folder / LEASES).read_text(encoding="utf-8"))
        return {name: Tried(**each) for name, each in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _lease(found: Found) -> Lease:
    assert found.lease is not None
    return found.lease
