"""How the rows of a profile name a node: by its id, or by the way to it.

The rule kept here: a namespace is named by its URI, or by a short name that the profile gives to that URI; never by its
index, which a server may change. A way is a list of browse names from the folder Objects on; what stands there is asked
of the server at every connect.

``s=Name``, ``i=42``, ``g=GUID`` and ``b=BASE64`` are ids in the namespace of the profile, ``ns=URI;s=Name`` in another.
``path=Machine/di:ParameterSet/Speed`` is a way: each step in the namespace of the profile, or in that of its short
name; ``$name`` stands for a part of a way that the settings tell, and ``&`` before a character takes its meaning away.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cellctl.driver import AddressError
from cellctl_drivers.wire.settings import Section, Where, nearest

#: The namespace of the standard itself: index 0 at every server, and the short name `ua`.
STANDARD = "http://opcfoundation.org/UA/"

_ROW = re.compile(r"(?:ns=(?P<namespace>[^;]+);)?(?P<kind>[sigb])=(?P<name>.+)\Z", re.DOTALL)
_PATH = "path="

#: `$name` within `$name` is followed this far.
_DEPTH_MAX = 8

#: Longer ways are a mistake; a server need not take them.
_STEPS_MAX = 32


@dataclass(frozen=True, slots=True)
class Node:
    """A node by the URI of its namespace and its identifier there."""

    namespace: str
    name: str | int | UUID | bytes

    def __str__(self) -> str:
        match self.name:
            case str():
                return f"s={self.name}"
            case UUID():
                return f"g={self.name}"
            case bytes():
                return f"b={base64.b64encode(self.name).decode()}"
            case _:
                return f"i={self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """One browse name on a way: the URI of its namespace, and the name."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """A node by the way to it, from the folder Objects on; `text` is how the profile writes it."""

    steps: tuple[Step, ...]
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or _PATH + "/".join(step.name for step in self.steps)

    @property
    def parent(self) -> "Path":
        """What the node hangs on."""
        return Path(self.steps[:-1])


Place = Node | Path


class Names:
    """What the settings say of names: the namespace of the profile, short names of others, and parts of ways."""

    def __init__(self, settings: Section, parts: Mapping[str, object]) -> None:
        self.namespace = settings.text("namespace", "")
        self._short = {"ua": STANDARD, "0": STANDARD, **_short_names(settings)}
        self._parts = parts

    def place(self, text: str, where: Where) -> Place:
        """The node that a row names; AddressError if it names none."""
        if text.startswith(_PATH):
            steps = tuple(self._steps(text.removeprefix(_PATH), where, 0))
            if steps[:1] == (Step(STANDARD, "Objects"),):
                steps = steps[1:]
            if not 1 <= len(steps) <= _STEPS_MAX:
                raise AddressError(f"{text!r} is not a way of 1 to {_STEPS_MAX} steps", where)
            return Path(steps, text)
        match = _ROW.match(text)
        if match is None:
            raise AddressError(
                f"{text!r} is not of the form s=NAME, i=NUMBER, g=GUID, b=BASE64, path=STEP/STEP or ns=URI;s=NAME",
                where,
            )
        namespace = match["namespace"] or self.namespace
        if not namespace:
            raise AddressError(f"{text!r} has no namespace: give `opcua: {{namespace: URI}}`", where)
        if namespace not in self._short and namespace.isdigit():
            raise AddressError(f"ns={namespace} is an index, which the server may change: give the URI", where)
        return Node(self._short.get(namespace, namespace), _identifier(match["kind"], match["name"], where))

    def _steps(self, text: str, where: Where, depth: int) -> Iterator[Step]:
        for raw in _split(text, "/"):
            if raw.startswith("$"):
                yield from self._steps(self._part(raw, where, depth), where, depth + 1)
            else:
                yield self._step(raw, text, where)

    def _part(self, name: str, where: Where, depth: int) -> str:
        part = self._parts.get(name)
        if not isinstance(part, str):
            known = nearest(name, tuple(self._parts)) or f"; say `opcua: {{{name}: WAY}}`"
            raise AddressError(f"nothing says what {name} stands for{known}", where)
        if depth >= _DEPTH_MAX:
            raise AddressError(f"{name} stands for itself", where)
        return part.removeprefix(_PATH)

    def _step(self, raw: str, text: str, where: Where) -> Step:
        short, *rest = _split(raw, ":")
        name = _plain(":".join(rest) if rest else short)
        if not name:
            raise AddressError(f"{text!r} has an empty step", where)
        if not rest:
            if not self.namespace:
                raise AddressError(f"{raw!r} has no namespace: give `opcua: {{namespace: URI}}`", where)
            return Step(self.namespace, name)
        if short in self._short:
            return Step(self._short[short], name)
        if short.isdigit():
            raise AddressError(
                f"{short}: is an index, which the server may change: give `opcua: {{namespaces: {{NAME: URI}}}}`, and"
                f" write NAME:{name}",
                where,
            )
        raise AddressError(f"{short!r} names no namespace{nearest(short, tuple(self._short))}", where)


def _short_names(settings: Section) -> dict[str, str]:
    given = settings.take("namespaces")
    where = settings.at("namespaces")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise AddressError("`namespaces` gives short names to URIs: {di: URI}", where)
    for name, uri in given.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(name)) or not isinstance(uri, str) or not uri:
            raise AddressError(f"{name!r} is no short name for a URI: write {{di: URI}}", (*where, str(name)))
    return {str(name): uri for name, uri in given.items()}


def _split(text: str, sign: str) -> list[str]:
    """`text` at each `sign` that has no & before it."""
    parts = [""]
    characters = iter(text)
    for character in characters:
        if character == sign:
            parts.append("")
        else:
            parts[-1] += character + (next(characters, "") if character == "&" else "")
    return parts


def _plain(text: str) -> str:
    return re.sub(r"&(.)", r"\1", text, flags=re.DOTALL)


def _identifier(kind: str, text: str, where: Where) -> str | int | UUID | bytes:
    match kind:
        case "s":
            return text
        case "g":
            try:
                return UUID(text)
            except ValueError:
                raise AddressError(f"g={text} is not a GUID", where) from None
        case "b":
            try:
                return base64.b64decode(text, validate=True)
            except binascii.Error:
                raise AddressError(f"b={text} is not Base64", where) from None
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise AddressError(f"i={text} is not a number", where)
    return int(text)
