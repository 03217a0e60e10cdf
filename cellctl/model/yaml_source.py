"""YAML text to plain data in which every key and value knows its place.

The rule kept here: the language is a safe subset of YAML 1.2. One mapping, UTF-8, no anchors, no tabs, no NaN, no
duplicate keys, and bounded: the reader stops at the limit, whatever the text would expand to.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from cellctl.model.problems import Place, Report, Wrong
from cellctl.model.quantity import no_comma
from cellctl.model.secrets import Secret
from cellctl.model.source import Unreadable, read_text
from cellctl.model.yaml_syntax import mistake

#: Deeper than any file of a cell; far from the interpreter's recursion limit.
DEPTH_MAX = 16
#: Keys, values and brackets together: reading them takes less than a second.
EVENTS_MAX = 20_000

KeyPath = tuple[str | int, ...]

_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


@dataclass(slots=True)
class Document:
    """The data of one file (or of several laid over each other), and the place of every key and value in it."""

    file: Path
    data: dict[str, Any]
    values: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)

    def at(self, *path: str | int) -> Place:
        """The place of the value at `path`, or of the nearest thing around it."""
        return self._nearest(self.values, path)

    def key(self, *path: str | int) -> Place:
        """The place of the key at `path`; in a list, of the item."""
        return self.keys.get(path) or self._nearest(self.keys, path)

    def below(self, *path: str | int) -> "Document":
        """The mapping at `path` as a document of its own."""
        data: Any = self.data
        for step in path:
            data = data[step]
        keys, values = (
            {known[len(path) :]: place for known, place in places.items() if known[: len(path)] == path}
            for places in (self.keys, self.values)
        )
        return Document(self.file, data, values, keys)

    def _nearest(self, places: dict[KeyPath, Place], path: KeyPath) -> Place:
        for length in range(len(path), 0, -1):
            for known in (places, self.keys, self.values):
                if path[:length] in known:
                    return known[path[:length]]
        return Place(self.file)


def read(file: Path, folder: Path, report: Report) -> Document | None:
    """Read a file of `folder`; None if it cannot be used, with the reasons in `report`."""
    before = report.errors
    document: Document | None = None
    text = ""
    try:
        text = _text(file, folder)
        document = _Composer(file, report).compose(text)
    except Unreadable as stop:
        report.add(stop.place, stop.wrong)
    except MarkedYAMLError as error:
        report.add(*mistake(file, text, error))
    except (YAMLError, ValueError) as error:
        report.add(
            Place(file),
            Wrong("E109", f"this is not YAML: {str(error).splitlines()[0]}", "remove characters that cannot be seen"),
        )
    return document if report.errors == before else None


def _text(file: Path, folder: Path) -> str:
    text = read_text(file, folder)
    for number, line in enumerate(text.splitlines(), 1):
        indent = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indent and line.strip() and not line.lstrip().startswith("#"):
            place = Place(file, number, indent.index("\t") + 1)
            raise Unreadable(place, Wrong("E103", "a tab cannot indent a line", "use two spaces instead of the tab"))
    return text


class _Composer:
    """Builds the document from the parser's events, one at a time, so that a limit stops it early."""

    def __init__(self, file: Path, report: Report) -> None:
        self._file = file
        self._report = report
        self._document = Document(file, {})
        self._count = 0
        self._events: Iterator[Event] = iter(())

    def compose(self, text: str) -> Document | None:
        self._events = iter(YAML(typ="safe", pure=True).parse(text))
        event = self._next()
        while isinstance(event, StreamStartEvent | DocumentStartEvent):
            event = self._next()
        if not isinstance(event, MappingStartEvent):
            hint = "begin with 'cellctl: 1'"
            self._report.add(self._place(event), Wrong("E110", "the file is not a mapping of keys to values", hint))
            return None
        self._document.data = self._mapping((), 1)
        event = self._next()
        while isinstance(event, DocumentEndEvent):
            event = self._next()
        if isinstance(event, DocumentStartEvent):
            wrong = Wrong("E106", "a second document begins here", "keep one document in a file; remove '---'")
            self._report.add(self._place(event), wrong)
        return self._document

    def _next(self) -> Event:
        self._count += 1
        event = next(self._events)
        if self._count > EVENTS_MAX:
            wrong = Wrong("E104", f"the file has more than {EVENTS_MAX} values", "split it into smaller files")
            raise Unreadable(self._place(event), wrong)
        return event

    def _node(self, event: Event, path: KeyPath, depth: int) -> Any:
        self._document.values[path] = place = self._place(event)
        if depth > DEPTH_MAX:
            raise Unreadable(
                place, Wrong("E104", f"the values are nested more than {DEPTH_MAX} deep", "make it flatter")
            )
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            hint = "write the value out; recipes and profiles share values by 'extends'"
            self._report.add(place, Wrong("E105", "anchors and aliases are not used in these files", hint))
        match event:
            case ScalarEvent():
                return self._scalar(event, place)
            case MappingStartEvent():
                return self._mapping(path, depth + 1)
            case SequenceStartEvent():
                return self._sequence(path, depth + 1)
            case _:
                return None

    def _sequence(self, path: KeyPath, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            found.append(self._node(event, (*path, len(found)), depth))
        return found

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            place = self._place(event)
            key = self._key(event, place, path, depth)
            here = (*path, key)
            if here in self._document.keys:
                first = self._document.keys[here].line
                wrong = Wrong(
                    "E107", f"the key {key!r} stands here twice", f"it stands in line {first} too; remove one"
                )
                self._report.add(place, wrong)
            self._document.keys[here] = place
            value = self._node(self._next(), here, depth)
            if value is None:
                self._no_comma(key, place, found, path)
                self._document.values[here] = place  # nothing stands there: the key is what can be pointed at
            if not key.startswith("x-"):
                found[key] = value
        return found

    def _no_comma(self, key: str, place: Place, before: dict[str, Any], path: KeyPath) -> None:
        """Report ``{value: 1.450,5 W}``, which YAML reads as two keys: the second begins right behind the comma."""
        value = self._document.values[(*path, next(reversed(before)))] if before else place
        if (value.line, value.column + len(value.raw) + 1) == (place.line, place.column):
            try:
                no_comma(f"{value.raw},{key}")
            except Wrong as wrong:
                self._report.add(value, wrong)

    def _key(self, event: Event, place: Place, path: KeyPath, depth: int) -> str:
        if isinstance(event, ScalarEvent) and event.value == "<<":
            self._report.add(place, Wrong("E105", "'<<' is not used in these files", "write the values out"))
        if isinstance(event, ScalarEvent) and event.value:
            return str(event.value)
        self._node(event, (*path, f"({place.line},{place.column})"), depth)
        self._report.add(place, Wrong("E113", "a key must be a word", "write it as 'key: value'"))
        return f"({place.line}:{place.column})"

    def _scalar(self, event: ScalarEvent, place: Place) -> Any:
        text = str(event.value)
        if event.tag == "!secret":
            return Secret(text)
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            hint = "the only tag is '!secret name', for a user or a password"
            self._report.add(place, Wrong("E112", f"the tag {event.tag} is not known", hint))
        if not event.implicit[0]:
            return text
        if _NOT_FINITE.match(text):
            self._report.add(place, Wrong("E108", f"{text} is not a finite number", "write a finite number"))
            return 0
        return self._plain(text, place)

    def _plain(self, text: str, place: Place) -> Any:
        if _NULL.match(text):
            return None
        if _BOOL.match(text):
            return text.lower() == "true"
        if _INT.match(text) and len(text) < 40:
            return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))
        if _FLOAT.match(text):
            number = float(text)
            if math.isfinite(number):
                return number
            self._report.add(place, Wrong("E108", f"{text:.20} is not a finite number", "write a smaller number"))
        return text

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        quoted = isinstance(event, ScalarEvent) and event.style is not None
        raw = str(event.value) if isinstance(event, ScalarEvent) else ""
        return Place(self._file, mark.line + 1, mark.column + 1, raw, quoted)
