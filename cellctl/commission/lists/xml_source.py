"""XML of others, read with care.

The rules kept here: a document type is refused, and with it every entity that could expand or reach out; the size, the
number of elements and their depth are bounded; every element knows its line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from cellctl.commission.lists.listing import ListError, bytes_of

#: The largest symbol files and node sets have about half as many.
ELEMENTS_MAX = 1_000_000
DEPTH_MAX = 64


@dataclass(slots=True)
class Element:
    """An element by its name without the namespace."""

    name: str
    attributes: Mapping[str, str]
    line: int
    children: "list[Element]" = field(default_factory=list)
    text: str = ""

    def get(self, attribute: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(attribute, default)

    def all(self, name: str) -> "Iterator[Element]":
        """The children of a name."""
        return (child for child in self.children if child.name == name)

    def first(self, *path: str) -> "Element | None":
        """The first element down a path of names."""
        element: Element | None = self
        for name in path:
            element = next(element.all(name), None) if element is not None else None
        return element

    def text_of(self, *path: str) -> str:
        """The text of the first element down a path."""
        found = self.first(*path)
        return found.text.strip() if found is not None else ""


def read_xml(path: Path, root: str) -> Element:
    """The document in `path`, whose outermost element is `root`; ListError if it is another one, or none."""
    reader = _Reader(path)
    try:
        reader.parser.Parse(bytes_of(path), True)
    except expat.ExpatError as error:
        told = expat.ErrorString(error.code)
        raise ListError(f"{path}:{error.lineno}: this is no XML: {told}.") from error
    except (LookupError, ValueError) as error:  # the first line names an encoding
        raise ListError(f"{path}:1: this is no XML that can be read: {error}. Save it as UTF-8.") from error
    found = reader.top.children[0]
    if found.name != root:
        raise ListError(f"{path} begins with <{found.name}>, not with <{root}>: it is another kind of file.")
    return found


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._count = 0
        self.top = Element("", {}, 0)
        self._open = [self.top]
        self._texts: list[list[str]] = [[]]  # of those that are open, piece by piece
        self.parser = parser = expat.ParserCreate(None, "}")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _doctype(self, *_: object) -> None:
        raise ListError(f"{self._path} declares a document type (<!DOCTYPE>): such files are not read. Remove it.")

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX or len(self._open) > DEPTH_MAX:
            raise ListError(f"{self._path}:{self.parser.CurrentLineNumber}: more than can be read of one file.")
        element = Element(name.rpartition("}")[2], attributes, self.parser.CurrentLineNumber)
        self._open[-1].children.append(element)
        self._open.append(element)
        self._texts.append([])

    def _end(self, _: str) -> None:
        self._open.pop().text = "".join(self._texts.pop())

    def _characters(self, text: str) -> None:
        self._texts[-1].append(text)
