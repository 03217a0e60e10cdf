"""What a list of signals says, whatever its form was.

The rule kept here: a row is taken whole or told with its line; nothing of a list is guessed in silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellctl.commission.draft import Row
from cellctl.commission.naming import names_of
from cellctl.commission.unit_names import unit_of

#: A list is text that people look through.
BYTES_MAX = 20_000_000


class ListError(Exception):
    """The file cannot be read as such a list: a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One signal of a list: its path there, its row without the unit, and what else is said of it."""

    path: tuple[str, ...]
    keys: Mapping[str, object]
    unit: str = ""
    text: str = ""
    note: str = ""


@dataclass(slots=True)
class Listing:
    """A list: the protocol that its addresses are of, its signals, and what could not be taken (`wrong`: line, why)."""

    protocol: str
    tags: list[Tag] = field(default_factory=list)
    wrong: list[tuple[int, str]] = field(default_factory=list)
    sections: dict[str, Mapping[str, object]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def rows_of(listing: Listing) -> list[Row]:
    """The rows of a profile."""
    names = names_of([tag.path for tag in listing.tags])
    return [_row(name, tag) for name, tag in zip(names, listing.tags, strict=True)]


def _row(name: str, tag: Tag) -> Row:
    keys, notes = dict(tag.keys), [tag.note] if tag.note else []
    if tag.unit and keys["type"] in ("int", "float"):
        unit = unit_of(tag.unit)
        if unit is None:
            notes.append(f"its unit is written {tag.unit!r}")
        keys |= {"unit": unit} if unit else {}
    if text := " ".join(tag.text.split()):
        keys["text"] = text
    return Row(name, keys, "; ".join(notes))


def bytes_of(path: Path) -> bytes:
    """The content of a list; ListError if it cannot be read, or is too large to be one."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise ListError(f"{path} has more than {BYTES_MAX // 1_000_000} MB: that is no list of signals.")
        return path.read_bytes()
    except OSError as error:
        raise ListError(f"{path} cannot be read: {error.strerror}.") from error
