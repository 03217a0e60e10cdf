"""Golden vectors: what a manual says of the wire, held against what the driver makes of the profile.

The rule kept here: a vector is a fact from outside. The profile is what has to agree with it.
"""

import math

from cellctl.core.messages import Call, CommandClass, Order, Write
from cellctl.core.parameter import bind
from cellctl.core.signal import FAR_NS, Quality, Value
from cellctl.driver import Driver, Teller, Translator
from cellctl.model.device import DeviceParts
from cellctl.model.problems import Report, Wrong
from cellctl.model.profile import Profile
from cellctl.model.shapes import GoldenRow

#: What a vector says of a signal that must not be believed.
BAD = "bad"


def check_golden(driver: Driver, parts: DeviceParts, profile: Profile, report: Report) -> None:
    """Report every vector of the profile that does not hold; of a profile with other mistakes nothing is told."""
    if not (profile.complete and parts.complete(profile)):
        return
    for number, row in enumerate(profile.file.golden):
        try:
            if bool(row.means) + bool(row.set) + bool(row.call) != 1:
                raise ValueError("a vector has one of 'is', 'set' and 'call'")
            _check(driver, parts, row, profile.file.profile.protocol)
        except ValueError as error:
            hint = "correct the row of the signal or command, or the vector"
            report.add(profile.document.at("golden", number), Wrong("E316", str(error), hint))


def _check(driver: Driver, parts: DeviceParts, row: GoldenRow, protocol: str) -> None:
    if row.means:
        if not isinstance(driver, Translator):
            raise ValueError(f"the driver for {protocol} knows no golden vectors of what is read")
        _check_read(driver, parts, row)
        return
    if not isinstance(driver, Teller):
        raise ValueError(f"the driver for {protocol} knows no golden vectors")
    sent = [_plain(line) for line in driver.sending(_order(parts, row))]
    wanted = [_plain(line) for line in row.wire]
    if sent != wanted:
        raise ValueError(f"by the profile {'; '.join(sent)!r} is sent, and {'; '.join(wanted)!r} by this vector")


def _check_read(driver: Translator, parts: DeviceParts, row: GoldenRow) -> None:
    for name, expected in row.means.items():
        if name not in parts.points:
            raise ValueError(f"there is no signal {name!r}")
        sample = driver.meaning(name, row.wire)
        good = sample.quality is not Quality.BAD
        if good == (expected == BAD) or (good and not _equal(sample.value, expected)):
            told = sample.value if good else f"bad ({sample.reason})"
            raise ValueError(f"{name} is {told!r} by the profile, and {expected!r} by this vector")


def _order(parts: DeviceParts, row: GoldenRow) -> Order:
    if row.set:
        name, value = next(iter(row.set.items()))
        if name not in parts.points or len(row.set) > 1:
            raise ValueError(f"'set' names one signal of the profile, not {', '.join(row.set)}")
        return Write(1, parts.points[name].signal.id, value, FAR_NS, CommandClass.LEVEL)
    if row.call not in parts.orders:
        raise ValueError(f"there is no command {row.call!r}")
    spec = next(spec for spec in parts.commands.values() if spec.id.endswith(f".{row.call}"))
    arguments = spec.sent(bind(spec.parameters, row.given))
    device = spec.id.partition(".")[0]
    return Call(1, device, row.call, FAR_NS, arguments, row.token, spec.command_class)


def _equal(found: Value | None, expected: object) -> bool:
    if isinstance(found, bool | str) or isinstance(expected, bool | str):
        return found == expected
    return (
        isinstance(found, int | float)
        and isinstance(expected, int | float)
        and math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9)
    )


def _plain(line: str) -> str:
    return " ".join(line.split())
