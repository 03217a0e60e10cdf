"""Where the nodes of a profile are at the server of this connection: their ids with the index of the namespace there.

The rule kept here: nothing of it outlives a connection. A node that is not found is told by name, with the step that is
missing; the others work.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from cellctl_drivers.opcua.nodes import STANDARD, Node, Path, Place, Step
from cellctl_drivers.wire.orders import RefusalError

#: Asks the server to follow ways.
Translate = Callable[[list[ua.BrowsePath]], Awaitable[list[ua.BrowsePathResult]]]

#: Of so many ways that lead nowhere the missing step is looked for: a profile of another device has hundreds.
_LOOKED_FOR_MAX = 10

_OBJECTS = ua.NodeId(ua.Int32(ObjectIds.ObjectsFolder))
_HIERARCHICAL = ua.NodeId(ua.Int32(ObjectIds.HierarchicalReferences))

#: What `RemainingPathIndex` is when the whole way was followed.
_WHOLE = 0xFFFF_FFFF


class Places:
    """The nodes of a profile at one server."""

    def __init__(self, namespaces: Sequence[str], translate: Translate) -> None:
        self._namespaces = list(namespaces)
        self._translate = translate
        self._found: dict[Path, ua.NodeId] = {}
        self._missing: dict[Path, str] = {}

    async def find(self, places: Iterable[Place]) -> None:
        """Ask the server for what is reached by a way."""
        paths = []
        for path in dict.fromkeys(place for place in places if isinstance(place, Path)):
            if unknown := self._unknown(path.steps):
                self._missing[path] = f"the server has no namespace {unknown!r}"
            else:
                paths.append(path)
        try:
            results = await self._translate([self._way(path) for path in paths])
        except RefusalError as refusal:
            self._missing |= {path: f"{path} is a way, and the server follows none: {refusal}" for path in paths}
            return
        lost = []
        for path, result in zip(paths, results, strict=True):
            self._missing.pop(path, None)
            if result.StatusCode.value == StatusCodes.BadNoMatch and len(path.steps) > 1:
                lost.append(path)
            try:
                self._found[path] = _target(path, result)
            except RefusalError as refusal:
                self._found.pop(path, None)
                self._missing[path] = str(refusal)
        for path in lost[:_LOOKED_FOR_MAX]:
            self._missing[path] = await self._first_missing(path) or self._missing[path]

    def __getitem__(self, place: Place) -> ua.NodeId:
        """The id of a node; RefusalError, with the reason, if it is not there."""
        if isinstance(place, Path):
            if place not in self._found:
                raise RefusalError(self._missing.get(place, f"the server has nothing at {place}"))
            return self._found[place]
        if place.namespace not in self._namespaces and place.namespace != STANDARD:
            raise RefusalError(f"the server has no namespace {place.namespace!r}")
        return node_id(place, self._index(place.namespace))

    def _index(self, namespace: str) -> int:
        return 0 if namespace == STANDARD else self._namespaces.index(namespace)

    def _unknown(self, steps: Iterable[Step]) -> str:
        """The first namespace that this server has not."""
        known = {*self._namespaces, STANDARD}
        return next((step.namespace for step in steps if step.namespace not in known), "")

    async def _first_missing(self, path: Path) -> str:
        """Which step of a way is not there, and where it is missed."""
        shorter = [Path(path.steps[:length]) for length in range(1, len(path.steps))]
        results = await self._translate([self._way(each) for each in shorter])
        found = [result.StatusCode.is_good() for result in results]
        length = found.index(False) if False in found else len(found)
        above = "/".join(step.name for step in path.steps[:length]) or "Objects"
        step = path.steps[length]
        return f"the server has no {step.name!r} of {step.namespace} under {above}"

    def _way(self, path: Path) -> ua.BrowsePath:
        elements = [
            ua.RelativePathElement(
                ReferenceTypeId=_HIERARCHICAL,
                IsInverse=False,  # type: ignore[arg-type]  # asyncua's own type for it cannot be made
                IncludeSubtypes=True,  # type: ignore[arg-type]
                TargetName=ua.QualifiedName(ua.String(step.name), ua.UInt16(self._index(step.namespace))),
            )
            for step in path.steps
        ]
        return ua.BrowsePath(StartingNode=_OBJECTS, RelativePath=ua.RelativePath(Elements=elements))


def node_id(node: Node, index: int) -> ua.NodeId:
    """The node at a server at which its namespace has this index."""
    name = node.name
    if isinstance(name, str):
        return ua.NodeId(ua.String(name), ua.Int16(index))
    if isinstance(name, bytes):
        return ua.NodeId(ua.ByteString(name), ua.Int16(index))
    return ua.NodeId(ua.Int32(name) if isinstance(name, int) else ua.Guid(name.hex), ua.Int16(index))


def _target(path: Path, result: ua.BrowsePathResult) -> ua.NodeId:
    """The one node at the end of a way."""
    if not result.StatusCode.is_good():
        raise RefusalError(f"the server has nothing at {path}: {result.StatusCode.name}")
    ends = {target.TargetId for target in result.Targets or () if target.RemainingPathIndex == _WHOLE}
    if len(ends) != 1:
        raise RefusalError(f"{len(ends)} nodes are at {path}: the way must lead to one")
    (end,) = ends
    return ua.NodeId(end.Identifier, end.NamespaceIndex, end.NodeIdType)
