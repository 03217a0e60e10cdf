"""The variables of an OPC UA information model, as a UANodeSet file describes it.

The rule kept here: only what a server will have is taken, not what describes types; nodes are named by the URI of their
namespace.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellctl.commission.draft import span
from cellctl.commission.lists.kinds import kind_of
from cellctl.commission.lists.listing import ListError, Listing, Tag
from cellctl.commission.lists.xml_source import Element, read_xml

STANDARD = "http://opcfoundation.org/UA/"

#: The built-in types by their numbers, and some types of the standard that are one of them by another name.
_BUILT_IN: Mapping[int, str] = {
    1: "Boolean", 2: "SByte", 3: "Byte", 4: "Int16", 5: "UInt16", 6: "Int32", 7: "UInt32", 8: "Int64", 9: "UInt64",
    10: "Float", 11: "Double", 12: "String", 290: "Double", 295: "String", 291: "String",
}  # fmt: skip
_TYPES: Mapping[str, str] = {
    "Boolean": "bool", "SByte": "int8", "Byte": "uint8", "Int16": "int16", "UInt16": "uint16", "Int32": "int32",
    "UInt32": "uint32", "Int64": "int64", "UInt64": "uint64", "Float": "float32", "Double": "float64", "String": "text",
}  # fmt: skip
_ENUMERATION, _OBJECTS = 29, 85

_NODES = ("UAObject", "UAVariable", "UAMethod", "UAObjectType", "UAVariableType", "UADataType")
_OF_TYPES = ("UAObjectType", "UAVariableType", "UADataType", "UAMethod")
#: Going down, by their numbers and names: HasComponent, Organizes, HasProperty, and relatives.
_DOWN = frozenset(
    {"i=47", "i=35", "i=46", "i=33", "i=34", "i=49", "HasComponent", "Organizes", "HasProperty",
     "HierarchicalReferences", "HasChild", "HasOrderedComponent"}
)  # fmt: skip
_SUBTYPE = {"i=45", "HasSubtype"}
#: No object of a machine stands deeper.
_STEPS_MAX = 32
_NODEID = re.compile(r"(?:ns=(?P<index>\d+);)?(?P<name>[isgb]=.+)\Z", re.DOTALL)


@dataclass(slots=True)
class _Node:
    element: Element
    name: str
    parent: str = ""
    properties: dict[str, Element] = field(default_factory=dict)


def read_nodeset(path: Path) -> Listing:
    """The variables in `path`; ListError if it is no node set, or has none."""
    listing = _NodeSet(path, read_xml(path, "UANodeSet")).listing()
    if not listing.tags and not listing.wrong:
        raise ListError(f"{path} describes types only, and no variable that a server has: use 'cellctl browse'.")
    return listing


class _NodeSet:
    def __init__(self, path: Path, root: Element) -> None:
        self._file = path
        self._counts: Counter[str] = Counter()
        spaces = root.first("NamespaceUris")
        self._spaces = [STANDARD, *(uri.text.strip() for uri in spaces.all("Uri"))] if spaces else [STANDARD]
        aliases = root.first("Aliases")
        self._aliases = {each.get("Alias"): each.text.strip() for each in aliases.all("Alias")} if aliases else {}
        self._nodes = {
            element.get("NodeId"): _Node(
                element, element.get("BrowseName").partition(":")[2] or element.get("BrowseName")
            )
            for element in root.children
            if element.name in _NODES
        }
        for nodeid, node in self._nodes.items():
            self._place(nodeid, node)

    def listing(self) -> Listing:
        """The variables that stand below an object."""
        listing, left_out = Listing("opcua"), 0
        for nodeid, node in self._nodes.items():
            if node.element.name != "UAVariable" or self._is_property(node) or (path := self._path(nodeid)) is None:
                continue
            try:
                row = self._row(nodeid, node)
            except ValueError as error:
                listing.wrong.append((node.element.line, f"{node.name}: {error}"))
                continue
            if row is None:
                left_out += 1
                continue
            text = node.element.text_of("Description") or ""
            listing.tags.append(Tag(path, row, self._unit(node), text, self._usually(node, row)))
        if left_out:
            listing.remarks.append(f"left out: lists and structures, which no signal can have ({left_out})")
        return self._shortened(listing)

    def _place(self, nodeid: str, node: _Node) -> None:
        """Find out what stands above the node, and below it."""
        node.parent = node.parent or node.element.get("ParentNodeId")
        for kind, target, forward in self._references(node.element):
            if kind not in _DOWN:
                continue
            if not forward:
                node.parent = node.parent or target
            elif target in self._nodes:
                self._nodes[target].parent = self._nodes[target].parent or nodeid
        above = self._nodes.get(node.parent)
        if above is not None and node.element.name == "UAVariable":
            above.properties[node.name] = node.element

    def _references(self, element: Element) -> Iterator[tuple[str, str, bool]]:
        references = element.first("References")
        for each in references.all("Reference") if references else ():
            kind = each.get("ReferenceType")
            yield self._aliases.get(kind, kind), each.text.strip(), each.get("IsForward", "true").lower() != "false"

    def _path(self, nodeid: str) -> tuple[str, ...] | None:
        """The browse names down to the node; None if it belongs to a type."""
        names: list[str] = []
        seen = set()
        first = nodeid
        while (node := self._nodes.get(nodeid)) is not None and nodeid not in seen:
            if node.element.name in _OF_TYPES:
                return None
            if len(names) == _STEPS_MAX:
                line = self._nodes[first].element.line
                raise ListError(
                    f"{self._file}:{line}: {first} has more than {_STEPS_MAX} nodes above it: no model has."
                )
            seen.add(nodeid)
            names.append(node.name)
            nodeid = node.parent
        return tuple(reversed(names))

    def _is_property(self, node: _Node) -> bool:
        """Whether the standard names it: it tells about what is above it."""
        browse_name = node.element.get("BrowseName")
        above = self._nodes.get(node.parent)
        standard = ":" not in browse_name or browse_name.startswith("0:")
        return standard and above is not None and above.element.name in ("UAVariable", "UAMethod")

    def _row(self, nodeid: str, node: _Node) -> dict[str, object] | None:
        """The row; None for a type that no signal can have. ValueError if the file contradicts itself."""
        element = node.element
        name = self._type(element.get("DataType", "i=24"))
        if name is None or element.get("ValueRank", "-1") not in ("-1", "-3"):
            return None
        level = element.get("UserAccessLevel") or element.get("AccessLevel", "1")
        if not level.isdigit():
            raise ValueError(f"AccessLevel {level!r} is no number")
        kind = kind_of(_TYPES[name])
        assert kind is not None
        address = self._address(nodeid)
        row: dict[str, object] = {"type": kind.signal}
        if int(level) & 1:
            row["read"] = address
        if int(level) & 2:
            row["write"] = f"{address} {name}"
        return row if len(row) > 1 else None

    def _address(self, nodeid: str) -> str:
        match = _NODEID.match(nodeid)
        index = int(match["index"] or 0) if match else 0
        if match is None or index >= len(self._spaces):
            raise ValueError(f"{nodeid!r} names no namespace of this file")
        if match["name"][0] not in "is":
            raise ValueError(f"{nodeid!r} is neither a name (s=) nor a number (i=), as a profile needs it")
        self._counts[self._spaces[index]] += 1
        return f"ns={self._spaces[index]};{match['name']}"

    def _type(self, datatype: str, depth: int = 0) -> str | None:
        """The built-in type; None if it is none of those that a signal can have."""
        datatype = self._aliases.get(datatype, datatype)
        if datatype in _TYPES:
            return datatype
        if datatype.startswith("i=") and datatype[2:].isdigit():
            number = int(datatype[2:])
            return "Int32" if number == _ENUMERATION else _BUILT_IN.get(number)
        node = self._nodes.get(datatype)
        if node is None or depth > 16:
            return None
        for kind, target, forward in self._references(node.element):
            if kind in _SUBTYPE and not forward:
                return self._type(target, depth + 1)
        return None

    def _unit(self, node: _Node) -> str:
        units = node.properties.get("EngineeringUnits")
        body = units.first("Value", "ExtensionObject", "Body", "EUInformation") if units else None
        return body.text_of("DisplayName", "Text") if body else ""

    def _usually(self, node: _Node, row: dict[str, object]) -> str:
        """The range: of a signal that is written in its row, of another one beside it."""
        told = node.properties.get("EURange")
        body = told.first("Value", "ExtensionObject", "Body", "Range") if told else None
        try:
            low, high = (float(body.text_of(end)) for end in ("Low", "High")) if body else (0.0, 0.0)
        except ValueError:
            return ""
        if not -math.inf < low < high < math.inf or row["type"] not in ("int", "float"):
            return ""
        if "write" in row:
            row["range"] = span(low, high)
            return ""
        return f"usually {span(low, high)}"

    def _shortened(self, listing: Listing) -> Listing:
        """The namespace of most rows is the one that they need not name."""
        usual = max(self._spaces, key=lambda uri: self._counts[uri])
        if not listing.tags:
            return listing
        listing.sections["identify"] = listing.sections["opcua"] = {"namespace": usual}
        for at, tag in enumerate(listing.tags):
            keys = {
                key: str(value).removeprefix(f"ns={usual};") if key in ("read", "write") else value
                for key, value in tag.keys.items()
            }
            listing.tags[at] = Tag(tag.path, keys, tag.unit, tag.text, tag.note)
        return listing
