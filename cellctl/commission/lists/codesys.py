"""The symbols of a PLC program, as CODESYS writes its symbol configuration, for the OPC UA server of the PLC.

The rule kept here: structures are gone into down to their plain members, and lists element by element, within bounds;
what the file does not say, how the PLC calls itself, is told.
"""

import math
from itertools import product
from pathlib import Path

from cellctl.commission.lists.kinds import kind_of
from cellctl.commission.lists.listing import ListError, Listing, Tag
from cellctl.commission.lists.xml_source import Element, read_xml

#: The namespace in which CODESYS shows its symbols.
NAMESPACE = "CODESYSSPV3/3S/IecVarAccess"

#: Longer lists are data for programs; and no more symbols than a profile can hold.
_ELEMENTS_MAX = 64
_SYMBOLS_MAX = 2000
_DEPTH_MAX = 12
_STEPS_MAX = 100_000

_ACCESS = {"Read": "r", "ReadOnly": "r", "Write": "w", "WriteOnly": "w", "ReadWrite": "rw", "": "r", "None": ""}

#: Times travel as numbers: of what.
_TIMES = {"TIME": "a TIME, in ms", "LTIME": "an LTIME, in ns"}


def read_codesys(path: Path, plc: str = "", namespace: str = "") -> Listing:
    """The symbols in `path`, as the PLC that calls itself `plc` shows them; ListError if it is no such file."""
    return _Symbols(read_xml(path, "Symbolconfiguration"), plc, namespace or NAMESPACE).listing(path)


class _Symbols:
    def __init__(self, root: Element, plc: str, namespace: str) -> None:
        project = root.first("Header", "ProjectInfo")
        self._told_plc = bool(plc)
        self._plc = plc or (project.get("devicename") if project is not None else "") or "Device"
        types = root.first("TypeList")
        self._types = {each.get("name"): each for each in types.children} if types is not None else {}
        self._nodes = root.first("NodeList")
        self._left_out: list[str] = []
        self._steps = 0
        self._listing = Listing("opcua", sections={"opcua": {"namespace": namespace}})

    def listing(self, path: Path) -> Listing:
        """All symbols."""
        if self._nodes is None or not self._nodes.children:
            raise ListError(f"{path} has no symbols: choose them in the symbol configuration, build, and export again.")
        for node in self._nodes.all("Node"):
            self._node(node, (), "")
        if len(self._listing.tags) >= _SYMBOLS_MAX or self._steps > _STEPS_MAX:
            self._left_out.insert(0, f"what comes after {len(self._listing.tags)} symbols")
        if self._left_out:
            several = f" and {len(self._left_out) - 5} more" if len(self._left_out) > 5 else ""
            self._listing.remarks.append(f"left out: {', '.join(self._left_out[:5])}{several}")
        if not self._told_plc:
            self._listing.remarks.append(
                f"the PLC is taken to call itself {self._plc!r}, which this file does not say for sure: compare with "
                "'cellctl browse', and give its name with --plc"
            )
        return self._listing

    def _node(self, node: Element, above: tuple[str, ...], access: str) -> None:
        here, access = (*above, node.get("name")), node.get("access") or access
        if not node.get("name"):
            self._listing.wrong.append((node.line, "a symbol without a name"))
        elif node.get("type"):
            self._symbol(node, here, node.get("type"), access, depth=0)
        if len(here) < _DEPTH_MAX:
            for child in node.all("Node"):
                self._node(child, here, access)

    def _symbol(self, at: Element, path: tuple[str, ...], name: str, access: str, *, depth: int = 0) -> None:
        """A symbol of a type, or what it is made of."""
        kind = self._types.get(name)
        self._steps += 1
        if len(self._listing.tags) >= _SYMBOLS_MAX or self._steps > _STEPS_MAX:
            return
        if kind is None:
            self._listing.wrong.append((at.line, f"{'.'.join(path)}: the file has no type {name!r}"))
        elif depth > _DEPTH_MAX:
            self._left_out.append(".".join(path))
        elif kind.get("basetype") and list(kind.all("ArrayDim")):
            self._list(at, path, kind, access, depth=depth)
        elif members := list(kind.all("UserDefElement")):
            for member in members:
                rights = member.get("access") or access
                self._symbol(member, (*path, member.get("iecname")), member.get("type"), rights, depth=depth + 1)
        elif kind.get("basetype"):  # an enumeration, a subrange, another name
            self._symbol(at, path, kind.get("basetype"), access, depth=depth + 1)
        else:
            self._plain(at, path, kind, access)

    def _list(self, at: Element, path: tuple[str, ...], kind: Element, access: str, *, depth: int) -> None:
        try:
            bounds = [(int(each.get("minrange")), int(each.get("maxrange"))) for each in kind.all("ArrayDim")]
        except ValueError:
            self._listing.wrong.append((kind.line, f"{kind.get('iecname')}: its bounds are no numbers"))
            return
        count = math.prod(max(0, high - low + 1) for low, high in bounds)
        if count > _ELEMENTS_MAX:
            self._left_out.append(f"{'.'.join(path)} ({count} elements)")
            return
        dimensions = [range(low, high + 1) for low, high in bounds]
        for index in product(*dimensions):
            element = (*path[:-1], f"{path[-1]}[{','.join(map(str, index))}]")
            self._symbol(at, element, kind.get("basetype"), access, depth=depth + 1)

    def _plain(self, at: Element, path: tuple[str, ...], kind: Element, access: str) -> None:
        iec = kind.get("iecname").upper()
        type_ = kind_of("int64" if iec in _TIMES else iec)
        rights = _ACCESS.get(access)
        if rights is None:
            self._listing.wrong.append((at.line, f"{'.'.join(path)}: the access {access!r} is not known"))
        elif type_ is None:
            self._left_out.append(f"{'.'.join(path)} ({kind.get('iecname')})")
        elif rights:
            address = f"s=|var|{self._plc}.{'.'.join(path)}"
            row: dict[str, object] = {"type": type_.signal}
            row |= {"read": address} if "r" in rights else {}
            if "w" in rights and iec not in _TIMES:  # which type a server takes for a time is not known
                row["write"] = f"{address} {type_.opcua}"
            if len(row) > 1:
                self._listing.tags.append(Tag(path, row, "", _comment(at), _TIMES.get(iec, "")))


def _comment(element: Element) -> str:
    return " ".join(comment.text for comment in element.all("Comment"))
