"""A cell at rest as bytes, and back.

The rule kept here: what belongs to the equipment is named, not copied, so that a copy can be thawed with the present
files; and a snapshot that comes from elsewhere can make nothing but the core's own data.
"""

import io
import pickle
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from cellctl.core.cell import Cell
from cellctl.core.equipment import Equipment

#: What a snapshot may be made of, besides the classes of the core.
_PLAIN = frozenset(
    {
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("collections", "Counter"),
        ("collections", "OrderedDict"),
    }
)

#: What the core refers to by name: kind -> where the equipment has it.
_KINDS = ("signals", "commands", "stations", "phases", "recipes")


class SnapshotError(Exception):
    """The snapshot cannot be used: a sentence for a person."""


def frozen(cell: Cell) -> bytes:
    """All that `cell` is, without its equipment. Only for a cell that is at rest."""
    stream = io.BytesIO()
    _Pickler(stream, cell.equipment).dump(cell)
    return stream.getvalue()


def thawed(data: bytes, equipment: Equipment) -> Cell:
    """The cell, with `equipment` in place of the one it was copied with.

    SnapshotError if the equipment lacks what the cell is at work with, or the data is not a snapshot of this version.
    """
    try:
        cell = _Unpickler(io.BytesIO(data), equipment).load()
        if not isinstance(cell, Cell):
            raise SnapshotError("The snapshot holds no cell.")
        cell.refit()
    except SnapshotError:
        raise
    except Exception as error:  # whatever a foreign file makes of it
        raise SnapshotError(f"The snapshot cannot be read: {error}.") from error
    return cell


class _Pickler(pickle.Pickler):
    def __init__(self, stream: io.BytesIO, equipment: Equipment) -> None:
        super().__init__(stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._named = {id(each): name for name, each in _named(equipment)}

    def reducer_override(self, obj: Any) -> Any:
        """Members of enumerations by their values: how pickle writes them differs from one Python to the next."""
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented

    def persistent_id(self, obj: Any) -> tuple[str, str] | None:
        """The name of what belongs to the equipment."""
        return self._named.get(id(obj))


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, equipment: Equipment) -> None:
        super().__init__(stream)
        self._named = dict(_named(equipment))

    def persistent_load(self, pid: Any) -> Any:
        """What the name stands for in the present equipment."""
        try:
            return self._named[pid]
        except KeyError:
            kind, name = pid
            raise SnapshotError(f"The cell's files have no {kind.removesuffix('s')} {name!r} any more.") from None

    def find_class(self, module: str, name: str) -> Any:
        """Classes of the core, and plain containers."""
        if module.startswith("cellctl.core.") or (module, name) in _PLAIN:
            found = super().find_class(module, name)
            if isinstance(found, type):
                return found
        raise SnapshotError(f"The snapshot asks for {module}.{name}, which no cell is made of.")


def _named(equipment: Equipment) -> Iterator[tuple[tuple[str, str], object]]:
    yield ("equipment", ""), equipment
    yield ("modes", ""), equipment.modes
    for kind in _KINDS:
        members: Mapping[str, object] = getattr(equipment, kind)
        yield from (((kind, name), member) for name, member in members.items())
