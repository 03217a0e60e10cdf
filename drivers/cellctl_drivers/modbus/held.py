"""Outputs that a device lets go by itself: while they are on, they are written again and again.

The rule kept here: whatever else is written to the place of an output ends that it is held.
"""

from collections.abc import Mapping

from cellctl_drivers.modbus.rows import Masks, Row
from cellctl_drivers.modbus.targets import Target


class Held:
    """What is held on one connection: by the name of the output, what is written."""

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._written: dict[str, tuple[Row, bytes]] = {}

    def get(self, name: str) -> tuple[Row, bytes] | None:
        """What is to be written again for `name`, if it is held."""
        return self._written.get(name)

    def hold(self, name: str, row: Row, data: bytes) -> None:
        """From now on."""
        self._written[name] = row, data

    def end(self, name: str) -> None:
        """It is held no longer."""
        self._written.pop(name, None)

    def end_all(self) -> None:
        """Nothing is."""
        self._written.clear()

    def end_at(self, row: Row, count: int) -> None:
        """Something is written to `count` registers or bits from `row` on."""
        for name in [name for name in self._written if _touches(self._targets[name], row, count)]:
            self.end(name)


def _touches(target: Target, row: Row, count: int) -> bool:
    match target.write:
        case Masks(set_row, clear_row):
            places: tuple[Row, ...] = (set_row, clear_row)
        case Row() as place:
            places = (place,)
        case None:
            places = ()
    return any(
        place.table is row.table and place.start < row.start + count and row.start < place.start + place.count
        for place in places
    )
