"""Data against its shape: what a file may say, and every mistake at its place.

The rule kept here: a shape is a pydantic model and stands nowhere else; the JSON Schemas come from the same models.
A wrong row is told, left out, and the rest is checked all the same.
"""

import copy
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from cellctl.model.problems import ONE_OF_THEM, Place, Report, Wrong, did_you_mean
from cellctl.model.yaml_source import Document, KeyPath

#: Each round of leaving out removes at least one row; no file needs more.
_ROUNDS_MAX = 50


class Shape(BaseModel):
    """What all shapes have in common: no unknown keys, no conversion of types, no change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


S = TypeVar("S", bound=Shape)


@dataclass(frozen=True, slots=True)
class Shaped(Generic[S]):
    """A document in its shape, and the rows that were left out of it because they are wrong."""

    document: Document
    shape: S
    left_out: frozenset[tuple[str, str]] = frozenset()


def validate(document: Document, shape: type[S], report: Report) -> Shaped[S] | None:
    """Check the document; None if even without its wrong rows it has not the shape."""
    data = copy.deepcopy(document.data)
    left_out: set[tuple[str, str]] = set()
    for _ in range(_ROUNDS_MAX):
        try:
            return Shaped(document, shape.model_validate(data), frozenset(left_out))
        except ValidationError as error:
            details = error.errors(include_url=False)
        for detail in details:
            path = _in_document(detail["loc"], document)
            report.add(_place(detail, path, document), _wrong(detail, path, document, shape))
        if not all([_leave_out(data, detail, _in_document(detail["loc"], document), left_out) for detail in details]):
            return None
    return None


def read_version(value: object) -> int:
    """The format version of a file: 1."""
    if value == 1 and not isinstance(value, bool):
        return 1
    hint = "newer files need a newer cellctl" if isinstance(value, int) and value > 1 else "write 'cellctl: 1'"
    raise Wrong("E127", f"the format version {value!r} cannot be read", hint)


def _in_document(loc: tuple[int | str, ...], document: Document) -> KeyPath:
    """The part of pydantic's path that stands in the document."""
    path = tuple(step for step in loc if step != "[key]")
    while path and path not in document.keys and path not in document.values:
        path = path[:-1]
    return path


def _place(detail: ErrorDetails, path: KeyPath, document: Document) -> Place:
    at_key = detail["type"] in ("extra_forbidden", "missing") or detail["loc"][-1:] == ("[key]",)
    return document.key(*path) if at_key and path else document.at(*path)


def _wrong(detail: ErrorDetails, path: KeyPath, document: Document, shape: type[Shape]) -> Wrong:
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    given = detail["input"]
    match detail["type"]:
        case "value_error" if isinstance(wrong := detail["ctx"]["error"], Wrong):
            return wrong
        case "missing":
            where = f" in {path[-1]!r}" if path else ""
            return Wrong("E122", f"the key {name!r} is missing{where}", f"add '{name}: ...'")
        case "extra_forbidden":
            return Wrong(
                "E121", f"the key {name!r} is not known here", did_you_mean(name, keys_at(shape, detail["loc"]))
            )
        case "literal_error":
            choices = re.findall(r"'([^']*)'", detail["ctx"]["expected"])
            hint = did_you_mean(str(given), choices, ONE_OF_THEM)
            return Wrong("E125", f"{given!r} is not one of {', '.join(choices)}", hint)
        case "string_type" if isinstance(given, bool | int | float):
            raw = document.at(*path).raw
            return Wrong("E124", f"{raw} is a number where a text is needed", f'put it in quotes: "{raw}"')
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "too_short":
            return Wrong("E126", f"{name}: {_lower(detail['msg'])}", "write a value inside the bounds")
        case kind:
            needed = next((words for part, words in _KINDS.items() if kind.startswith(part)), _lower(detail["msg"]))
            found = "nothing stands here" if given is None else f"{name}: this does not fit"
            return Wrong(
                "E123", f"{found}; needed is {needed}", _EXAMPLES.get(needed, "look at 'cellctl explain E123'")
            )


_KINDS: Mapping[str, str] = {
    "dict": "a mapping",
    "model": "a mapping",
    "list": "a list",
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}
_EXAMPLES: Mapping[str, str] = {
    "a mapping": "write 'key: value' lines below it, or {key: value}",
    "a list": "write lines that begin with '- ', or [first, second]",
    "a text": "write a text",
    "a whole number": "write a number without a point",
    "a number": "write a number",
    "true or false": "write true or false, without quotes",
}


def keys_at(shape: type[BaseModel], loc: KeyPath) -> list[str]:
    """The keys that may stand beside the last one of `loc`."""
    found: Any = shape
    for step in loc[:-1]:
        found = _step(found, str(step))
    found = _bare(found)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return [field.alias or name for name, field in found.model_fields.items()]
    return []


def _step(found: Any, name: str) -> Any:
    found = _bare(found)
    if isinstance(found, type) and issubclass(found, BaseModel):
        fields = {field.alias or key: field.annotation for key, field in found.model_fields.items()}
        return fields.get(name)
    return (typing.get_args(found) or (None,))[-1]


def _bare(found: Any) -> Any:
    """The type without `Annotated` and without `| None`."""
    while typing.get_origin(found) in (typing.Annotated, typing.Union, types.UnionType):
        found = next(part for part in typing.get_args(found) if part is not type(None))
    return found


def _leave_out(data: dict[str, Any], detail: ErrorDetails, path: KeyPath, left_out: set[tuple[str, str]]) -> bool:
    """Take the unknown key, or the row around the mistake, out of `data`; False if nothing can be left out."""
    if detail["type"] == "extra_forbidden" and path == detail["loc"]:
        row, key = path[:-1], path[-1]
    elif len(path) >= 2 and isinstance(path[1], str) and path[0] not in ("cell", "profile", "recipe"):
        row, key = path[:1], path[1]
        left_out.add((str(path[0]), path[1]))
    else:
        return False
    place: Any = data
    for step in row:
        place = place[step] if isinstance(step, int) else place.get(step, {})
    place.pop(key, None)
    return True


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
