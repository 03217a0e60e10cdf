"""The address space of an OPC UA server, as far as it is shown to whoever asks.

The rule kept here: it is browsed and read, never written; bounded in depth and number, and what was left out is told.
Nodes are named by the URI of their namespace.
"""

import math
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from cellctl.driver import AddressError, Browse, DriverError, Finding
from cellctl_drivers.opcua.connection import honour_cancellation, told
from cellctl_drivers.opcua.profile import TYPES, Profile
from cellctl_drivers.opcua.requests import unless_too_many

S = TypeVar("S")
T = TypeVar("T")

#: So many nodes are asked about in one request, or fewer if the server says so.
_NODES = 40
_LIMITS = tuple(
    ua.NodeId(ua.Int32(number))
    for number in (
        ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
        ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    )
)

#: References of one node in one answer; more are asked for with a continuation point.
_REFERENCES = 500

#: A way to a node is looked for among so many references of each node on it: no server is followed for ever.
_REFERENCES_MAX = 20_000

#: A text or list longer than this is shown in part.
_SHOWN_MAX = 60

_OBJECTS = ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
_UNASKED = tuple(ua.NodeId(ua.Int32(number)) for number in (ObjectIds.Server, ObjectIds.Aliases))
_NAMESPACES = ua.NodeId(ua.Int32(ObjectIds.Server_NamespaceArray))
_HIERARCHICAL = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))

#: The type of a value -> that of the signal.
_SIGNALS = {
    **{name: "int" for name, bounds in TYPES.items() if bounds is not None},
    "Boolean": "bool",
    "Float": "float",
    "Double": "float",
    "String": "text",
    "LocalizedText": "text",
}

#: What is of the standard and tells about the variable above it.
_UNIT, _RANGE = "EngineeringUnits", "EURange"


@dataclass(slots=True)
class _Item:
    """A node that was met."""

    nodeid: ua.NodeId
    name: str
    path: str
    kind: ua.NodeClass
    depth: int
    children: "list[_Item]" = field(default_factory=list)
    facts: dict[str, ua.DataValue] = field(default_factory=dict)
    about: dict[str, ua.NodeId] = field(default_factory=dict)


class Walk:
    """Goes through the address space on one connection."""

    def __init__(self, profile: Profile, client: Client, browse: Browse) -> None:
        self._profile, self._browse = profile, browse
        self._session = client.uaclient.session
        self._namespaces: list[str] = []
        self._seen: set[ua.NodeId] = set()
        self._count = 0
        self._deeper = 0
        self._unfollowed: list[str] = []
        self._nodes = _NODES

    async def run(self) -> None:
        """Tell objects, variables and methods, in the order of the server."""
        (array,) = await self._attributes([_NAMESPACES], AttributeIds.Value)
        self._namespaces = list(array.Value.Value or ()) if array.Value is not None else []
        for limit in await self._attributes(_LIMITS, AttributeIds.Value):
            told_max = _content(limit)
            self._nodes = min(self._nodes, told_max if isinstance(told_max, int) and told_max > 0 else _NODES)
        root = _Item(_OBJECTS, "Objects", "", ua.NodeClass.Object, 0)
        roots = [await self._at(root, path) for path in self._browse.ranges] or [root]
        if not self._browse.ranges:
            self._seen |= set(_UNASKED)
        for each in roots:
            await self._walk(each)
        items = [item for each in roots for item in _flat(each) if item is not root]
        await self._read([item for item in items if item.kind is ua.NodeClass.Variable])
        self._tell_sections(items)
        for item in items:
            self._browse.found(self._finding(item))
        if self._deeper:
            self._browse.cut(f"{self._deeper} nodes have more below them than {self._browse.depth_max} steps: --depth")
        if self._count >= self._browse.count_max:
            self._browse.cut(f"after {self._count} nodes; --max, or --range with a path, shows the others")
        elif self._unfollowed:
            first, more = self._unfollowed[0], len(self._unfollowed) - 1
            at = f"{first or 'Objects'}{f' and {more} others' if more else ''}"
            self._browse.cut(f"what {at} refer to after {self._browse.count_max} references: --max follows more")
        if not self._browse.ranges:
            self._browse.cut("the Server object, which tells about the server itself: --range Server shows it")

    async def _at(self, root: _Item, path: str) -> _Item:
        """The node at a path of browse names; AddressError if there is none."""
        item = root
        for name in path.removeprefix("Objects/").split("/"):
            ((below, is_whole),) = await self._below([item], _REFERENCES_MAX, name)
            found = [each for each in below if each.name == name]
            if not found:
                there = ", ".join(each.name for each in below[:20]) or "nothing"
                among = "" if is_whole else f" among the first {len(below)}"
                where = f"in {item.path or 'Objects'}{among}"
                raise AddressError(f"there is no {name!r} {where}; there is {there}", ("range",))
            item = found[0]
        item.depth = 0
        return item

    async def _walk(self, root: _Item) -> None:
        """Find what is below, level by level."""
        self._seen.add(root.nodeid)
        self._count += 1
        level = [root]
        while level and self._count < self._browse.count_max:
            pairs = await self._batches(level)
            if level[0].depth >= self._browse.depth_max:
                below = [self._new(item, found) for item, found in pairs]
                self._deeper += sum(bool(found) for found in below)
                return
            self._unfollowed += [item.path for item in level[len(pairs) :]]
            following: list[_Item] = []
            for item, found in pairs:
                item.children = self._new(item, found)[: self._browse.count_max - self._count]
                self._count += len(item.children)
                self._seen |= {child.nodeid for child in item.children}
                following += item.children
            self._browse.progress(f"{self._count} nodes so far")
            level = [item for item in following if item.kind is not ua.NodeClass.Method]

    async def _batches(self, level: Sequence[_Item]) -> list[tuple[_Item, list[_Item]]]:
        pairs: list[tuple[_Item, list[_Item]]] = []
        for at in range(0, len(level), self._nodes):
            batch = level[at : at + self._nodes]
            for item, (found, is_whole) in zip(batch, await self._below(batch, self._browse.count_max), strict=True):
                pairs.append((item, found))
                self._unfollowed += [] if is_whole else [item.path]
            if self._count + sum(len(found) for _, found in pairs) >= self._browse.count_max:
                break
        return pairs

    def _new(self, item: _Item, found: Sequence[_Item]) -> list[_Item]:
        """What is met for the first time, without what only tells about a variable."""
        new = {each.nodeid: each for each in found if each.nodeid not in self._seen}
        if item.kind is ua.NodeClass.Variable or item.kind is ua.NodeClass.Method:
            item.about = {each.name: each.nodeid for each in found if not each.nodeid.NamespaceIndex or _about(each)}
            new = {nodeid: each for nodeid, each in new.items() if not _about(each)}
        return list(new.values())

    async def _below(
        self, items: Sequence[_Item], most: int, wanted: str | None = None
    ) -> list[tuple[list[_Item], bool]]:
        """What each node refers to downwards, and whether that is all; no more is asked for after so many references
        of all together, or when the one of that name has come."""
        asked = [_downwards(item.nodeid) for item in items]
        results = await self._each(
            lambda some: self._session.browse(
                ua.BrowseParameters(RequestedMaxReferencesPerNode=_REFERENCES, NodesToBrowse=some)
            ),
            asked,
        )
        left = most - sum(len(result.References or ()) for result in results)
        below: list[tuple[list[_Item], bool]] = []
        for item, result in zip(items, results, strict=True):
            part = _items(result, item)
            found = list(part)
            while (point := result.ContinuationPoint) and left > 0 and all(each.name != wanted for each in part):
                (result,) = await self._each(self._next, [point])
                part = _items(result, item)
                found += part
                left -= max(1, len(result.References or ()))  # an empty answer counts: there may be no end of them
            if point:
                await self._release(point)
            below.append((found, not point))
        return below

    async def _next(self, points: list[bytes]) -> list[ua.BrowseResult]:
        return list(await self._session.browse_next(_following(*points)) or ())

    async def _release(self, point: bytes) -> None:
        """Have the server forget where it was; it does so at the end of the session anyway."""
        with suppress(DriverError):
            await self._request(self._session.browse_next(_following(point, release=True)))

    async def _each(self, request: Callable[[list[S]], Coroutine[object, object, list[T]]], of: Sequence[S]) -> list[T]:
        """The answers for all, in requests of as many as the server takes: some say so only by refusing more."""
        answers: list[T] = []
        while len(answers) < len(of):
            some = list(of[len(answers) : len(answers) + self._nodes])
            told_now = await self._request(unless_too_many(request, some))
            if told_now is None:
                self._nodes = len(some) // 2
            elif len(told_now) != len(some):
                raise DriverError(f"{self._profile.id} gives {len(told_now)} answers, {len(some)} were asked for")
            else:
                answers += told_now
        return answers

    async def _read(self, variables: Sequence[_Item]) -> None:
        """Read value, type and access of all variables, and what tells about them."""
        for at in range(0, len(variables), self._nodes):
            batch = variables[at : at + self._nodes]
            for name in ("Value", "DataType", "UserAccessLevel"):
                answers = await self._attributes([item.nodeid for item in batch], AttributeIds[name])
                for item, answer in zip(batch, answers, strict=True):
                    item.facts[name] = answer
            about = [(item, name, nodeid) for item in batch for name, nodeid in item.about.items() if name in _ABOUT]
            answers = await self._attributes([nodeid for _, _, nodeid in about], AttributeIds.Value)
            for (item, name, _), answer in zip(about, answers, strict=True):
                item.facts[name] = answer
            self._browse.progress(f"{at + len(batch)} of {len(variables)} variables read")

    async def _attributes(self, nodes: Sequence[ua.NodeId], attribute: AttributeIds) -> list[ua.DataValue]:
        return await self._each(lambda some: self._session.read_attributes(some, attribute), nodes)

    def _tell_sections(self, items: Sequence[_Item]) -> None:
        """The namespace of most variables is the one that rows need not name."""
        spaces = Counter(self._uri(item.nodeid) for item in items if item.kind is ua.NodeClass.Variable)
        spaces.pop("", None)
        if spaces:
            ((self._usual, _),) = spaces.most_common(1)
            self._browse.section("opcua", {"namespace": self._usual})
            if self._usual != _STANDARD_URI:
                self._browse.section("identify", {"namespace": self._usual})

    _usual = ""

    def _finding(self, item: _Item) -> Finding:
        address = self._address(item.nodeid)
        if item.kind is not ua.NodeClass.Variable:
            return Finding(item.path, address, item.kind.name.lower())
        data, value = item.facts["Value"], _content(item.facts["Value"])
        kind = _type_of(data, _content(item.facts["DataType"]))
        level = _content(item.facts["UserAccessLevel"])
        status = data.StatusCode if data.StatusCode is not None else ua.StatusCode()
        level = level if isinstance(level, int) else int(status.is_good())  # not every server tells it
        access = "".join(letter for bit, letter in ((1, "r"), (2, "w")) if level & bit)
        signal = "" if isinstance(value, list) else _SIGNALS.get(kind, "")
        low, high = _range(_content(item.facts.get(_RANGE)))
        return Finding(
            item.path,
            address,
            f"{kind}[]" if isinstance(value, list) else kind,
            access,
            _shown(value) if status.is_good() else "",
            "" if status.is_good() else f"the server says {status.name}",
            unit=_text(getattr(_content(item.facts.get(_UNIT)), "DisplayName", None)) if signal != "text" else "",
            low=low,
            high=high,
            row=self._row(item.nodeid, signal, kind, access) if signal and access else {},
        )

    def _row(self, nodeid: ua.NodeId, signal: str, kind: str, access: str) -> dict[str, object]:
        """The row of a signal; nothing for a node that a profile cannot name."""
        uri, address = self._uri(nodeid), self._address(nodeid)
        if not uri or nodeid.NodeIdType not in _NAMED:
            return {}
        node = address.partition(";")[2] if uri == self._usual else address
        row: dict[str, object] = {"type": signal}
        if "r" in access:
            row["read"] = node
        if "w" in access and kind in TYPES:
            row["write"] = f"{node} {kind}"
        return row if len(row) > 1 else {}

    def _uri(self, nodeid: ua.NodeId) -> str:
        index = int(nodeid.NamespaceIndex)
        return self._namespaces[index] if index < len(self._namespaces) else ""

    def _address(self, nodeid: ua.NodeId) -> str:
        name = str(nodeid.to_string()).removeprefix(f"ns={int(nodeid.NamespaceIndex)};")
        return f"ns={self._uri(nodeid)};{name}"

    async def _request(self, request: Coroutine[object, object, T]) -> T:
        try:
            return await request
        except TimeoutError as error:
            within = f"{self._profile.timeout_s:g} s"
            raise DriverError(f"no answer from {self._profile.id} within {within}: give it a longer timeout") from error
        except Exception as error:  # as in a session: what asyncua's parser lets through is no error of its own kind
            raise DriverError(f"{self._profile.id} cannot be browsed: {told(error)}") from error
        finally:
            honour_cancellation()


#: What every server has says nothing about which one it is.
_STANDARD_URI = "http://opcfoundation.org/UA/"
_ABOUT = (_UNIT, _RANGE)
_NAMED = (ua.NodeIdType.TwoByte, ua.NodeIdType.FourByte, ua.NodeIdType.Numeric, ua.NodeIdType.String)


def _flat(item: _Item) -> Iterator[_Item]:
    yield item
    for child in item.children:
        yield from _flat(child)


def _downwards(nodeid: ua.NodeId) -> ua.BrowseDescription:
    """Everything that a node has below it."""
    return ua.BrowseDescription(
        NodeId=nodeid,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=_HIERARCHICAL,
        IncludeSubtypes=True,
        NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable | ua.NodeClass.Method,
        ResultMask=ua.BrowseResultMask.All,
    )


def _following(point: bytes, *, release: bool = False) -> ua.BrowseNextParameters:
    """What comes after a continuation point; asyncua takes it for a release unless it is told that it is none."""
    return ua.BrowseNextParameters(ReleaseContinuationPoints=release, ContinuationPoints=[point])


def _items(result: ua.BrowseResult, parent: _Item) -> list[_Item]:
    return [_item(reference, parent) for reference in result.References or () if _is_here(reference)]


def _item(reference: ua.ReferenceDescription, parent: _Item) -> _Item:
    told_id = reference.NodeId
    nodeid = ua.NodeId(told_id.Identifier, told_id.NamespaceIndex, told_id.NodeIdType)
    name = reference.BrowseName.Name or ""
    path = f"{parent.path}/{name}" if parent.path else name
    return _Item(nodeid, name, path, reference.NodeClass, parent.depth + 1)


def _is_here(reference: ua.ReferenceDescription) -> bool:
    """Whether it is a node of this server."""
    return not getattr(reference.NodeId, "ServerIndex", None)


def _about(item: _Item) -> bool:
    """Whether it is a property that the standard names: it tells about what is above it."""
    return item.name in _ABOUT or item.nodeid.NamespaceIndex == 0 or item.name in _STANDARD


_STANDARD = frozenset(
    {"InstrumentRange", "Definition", "ValuePrecision", "EnumStrings", "EnumValues", "TrueState", "FalseState",
     "InputArguments", "OutputArguments", "Title", "AxisDefinition"}
)  # fmt: skip


def _content(data: ua.DataValue | None) -> object:
    return data.Value.Value if data is not None and data.Value is not None else None


def _type_of(data: ua.DataValue, datatype: object) -> str:
    """The built-in type of the value; if there is no value, that of the variable, as far as it is one."""
    variant = data.Value
    if variant is not None and variant.VariantType is not None and variant.VariantType is not ua.VariantType.Null:
        return str(variant.VariantType.name)
    if isinstance(datatype, ua.NodeId) and datatype.NamespaceIndex == 0 and isinstance(datatype.Identifier, int):
        names = {member.value: member.name for member in ua.VariantType}
        return names.get(datatype.Identifier, "")
    return ""


def _range(told_range: object) -> tuple[float | None, float | None]:
    low, high = getattr(told_range, "Low", None), getattr(told_range, "High", None)
    if isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf:
        return float(low), float(high)
    return None, None


def _text(text: object) -> str:
    return str(getattr(text, "Text", None) or "")


def _shown(value: object) -> str:
    if isinstance(value, ua.LocalizedText):
        value = value.Text or ""
    shown = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}..."
