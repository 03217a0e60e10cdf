"""What is wrong with a computer and a folder for running a cell: looked at, never changed.

The rule kept here: every finding is a sentence, and one that is not well says what to do. A look that fails is a
finding too, and costs no other.
"""

from collections.abc import Callable, Iterable, Iterator

from cellctl.upkeep.doctor import computer, devices, records
from cellctl.upkeep.doctor.finding import ERROR, Finding, Place

__all__ = ["Finding", "Place", "examined"]

#: In the order in which one would look: the computer, its disk, what the cell wrote, what it is connected to.
LOOKS: tuple[Callable[[Place], Iterable[Finding]], ...] = (
    computer.python,
    computer.packages,
    computer.real_time,
    computer.clock,
    computer.unit,
    records.folder,
    records.lock,
    records.space,
    records.speed,
    records.journal,
    records.steps,
    devices.files,
    devices.serial_ports,
    devices.http,
    devices.certificates,
    devices.secrets,
)


def examined(place: Place) -> Iterator[Finding]:
    """Every finding, one by one as it is found."""
    for look in LOOKS:
        try:
            yield from look(place)
        except Exception as error:
            name = look.__name__.replace("_", " ")
            if isinstance(error, PermissionError):
                text = f"this user may not look at {error.filename}"
                yield Finding(ERROR, name, text, "Run this as the user of the cell: sudo -u cellctl cellctl doctor ...")
                continue
            yield Finding(ERROR, name, f"it cannot be looked at: {error}", "Report this, with this line.")
