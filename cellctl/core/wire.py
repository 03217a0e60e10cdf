"""The words of the link between control and gateway: requests, answers and samples as plain JSON-able dicts, and back.

One message is one line of JSON, at most `LINE_BYTES_MAX` long. The rule kept here: strict. What is unknown, missing or
of the wrong type is a `WireError`, which says why and what was possible, never a guess.

    {"submit": {"id": "r1", "action": {"operate": {"command": "hold"}}, "by": "ann", "via": "http"}}
    -> {"receipt": {"id": "r1", "text": "Holding"}}  or  {"refused": {"id": "r1", "reason": "...", "possible": [...]}}
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from difflib import get_close_matches
from enum import IntEnum
from typing import Any

from cellctl.core.messages import (
    JSON,
    Acknowledge,
    Action,
    AddJob,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Operate,
    Receipt,
    Recover,
    Refused,
    Request,
    SetMode,
    Shelve,
    StartChangeover,
    Unshelve,
)
from cellctl.core.packml import Command, Mode
from cellctl.core.signal import Quality, Sample, Value

#: Nothing that a person or a gateway asks for is longer; a longer line is an attack or a mistake.
LINE_BYTES_MAX = 65_536

#: As long as any sensible id or name; keeps what is echoed, journaled and shown short.
TEXT_LENGTH_MAX = 200

ACTIONS: Mapping[str, type[Action]] = {
    "operate": Operate,
    "set_mode": SetMode,
    "add_job": AddJob,
    "cancel_job": CancelJob,
    "start_changeover": StartChangeover,
    "confirm_step": ConfirmStep,
    "cancel_changeover": CancelChangeover,
    "recover": Recover,
    "acknowledge": Acknowledge,
    "shelve": Shelve,
    "unshelve": Unshelve,
}

_QUALITIES = frozenset(int(quality) for quality in Quality)
_NAMES = {action: name for name, action in ACTIONS.items()}


class WireError(ValueError):
    """A message that cannot be understood: why, what was possible, and the id of the request if it could be read."""

    def __init__(self, reason: str, possible: tuple[str, ...] = (), request: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.possible = possible
        self.request = request

    def refused(self) -> Refused:
        """The same as an answer to the request."""
        return Refused(self.request, self.reason, self.possible)


def encode_line(message: Mapping[str, JSON]) -> bytes:
    """One line of UTF-8 JSON with its newline. ValueError for a number that JSON cannot say."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def decode_line(line: bytes, longest: int = LINE_BYTES_MAX) -> dict[str, Any]:
    """The object in one line. WireError if it is longer than `longest` bytes, not JSON, or not an object."""
    if len(line) > longest:
        raise WireError(f"the message is longer than {longest} bytes")
    try:
        message = json.loads(line, parse_float=_finite, parse_constant=_finite, object_pairs_hook=_no_repeats)
    except WireError:
        raise
    except (ValueError, RecursionError) as error:
        raise WireError(f"the message is not JSON: {error}") from error
    return _object(message, "the message")


def encode_request(request: Request) -> dict[str, JSON]:
    """`request` as a dict."""
    action = {one.name: _encode_field(getattr(request.action, one.name)) for one in fields(request.action)}
    return {"id": request.id, "action": {_NAMES[type(request.action)]: action}, "by": request.by, "via": request.via}


def decode_request(data: object) -> Request:
    """The request in `data`. WireError says what is wrong with it."""
    given = _object(data, "a request")
    known = given.get("id")
    request = known if isinstance(known, str) and len(known) <= TEXT_LENGTH_MAX else ""
    try:
        _only(given, ("id", "action", "by", "via"), "a request")
        identity = _text(given.get("id", ""), "id")
        if not identity:
            raise WireError("a request needs an id")
        by, via = (_text(given.get(name, ""), name) for name in ("by", "via"))
        return Request(identity, _decode_action(given.get("action")), by, via)
    except WireError as error:
        error.request = request
        raise


def encode_answer(answer: Receipt | Refused) -> dict[str, JSON]:
    """`answer` as a dict with the one key ``receipt`` or ``refused``."""
    if isinstance(answer, Receipt):
        return {"receipt": {"id": answer.id, "text": answer.text}}
    return {"refused": {"id": answer.id, "reason": answer.reason, "possible": list(answer.possible)}}


def decode_answer(data: object) -> Receipt | Refused:
    """The answer in `data`. WireError if it is none."""
    name, given = _tagged(data, ("receipt", "refused"), "an answer")
    if name == "receipt":
        _only(given, ("id", "text"), name)
        return Receipt(_text(given.get("id"), "id"), _text(given.get("text", ""), "text", None))
    _only(given, ("id", "reason", "possible"), name)
    possible = given.get("possible", [])
    if not isinstance(possible, list):
        raise WireError("'possible' must be a list of texts")
    words = tuple(_text(one, "possible", None) for one in possible)
    return Refused(_text(given.get("id"), "id"), _text(given.get("reason"), "reason", None), words)


def encode_sample(sample: Sample) -> list[JSON]:
    """`sample` without its name: value, quality, source time, time of receipt (ns UTC), reason if it is not good."""
    told: list[JSON] = [_encode_value(sample.value), int(sample.quality), sample.time_ns, sample.received_ns]
    return [*told, sample.reason] if sample.reason else told


def decode_sample(signal: str, data: object) -> Sample:
    """The sample of `signal` in `data`. WireError if it is none."""
    match data:
        case [
            bool() | int() | float() | str() | None as value,
            int(quality),
            int(time_ns),
            int(received_ns),
            *rest,
        ] if quality in _QUALITIES and len(rest) <= 1:
            reason = _text(rest[0], "reason", None) if rest else ""
            return Sample(signal, value, Quality(quality), time_ns, received_ns, reason)
        case _:
            raise WireError(f"the sample of {signal} cannot be read")


def _decode_action(data: object) -> Action:
    name, given = _tagged(data, tuple(ACTIONS), "an action")
    action = ACTIONS[name]
    declared = fields(action)
    _only(given, tuple(one.name for one in declared), name)
    values = {}
    for one in declared:
        if one.name in given:
            values[one.name] = _FIELDS[one.name](given[one.name], one.name)
        elif one.default is MISSING:
            raise WireError(f"{name} needs {one.name!r}", tuple(field.name for field in declared))
    return action(**values)


def _encode_field(value: Any) -> JSON:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        return [one if isinstance(one, str) else dict(one) for one in value]
    plain: JSON = value
    return plain


def _encode_value(value: Value | None) -> JSON:
    """JSON has no infinities: what a broken device said is told as text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _tagged(data: object, names: tuple[str, ...], what: str) -> tuple[str, dict[str, Any]]:
    given = _object(data, what)
    if len(given) != 1:
        raise WireError(f"{what} has exactly one key, its name", names)
    _only(given, names, what)
    name = next(iter(given))
    return name, _object(given[name], name)


def _object(data: object, what: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise WireError(f"{what} must be an object, in braces")
    return data


def _only(given: Mapping[str, object], names: tuple[str, ...], what: str) -> None:
    for name in given:
        if name not in names:
            raise WireError(f"{what} has no {name[:TEXT_LENGTH_MAX]!r}{_meant(name, names)}", names)


def _meant(name: str, names: tuple[str, ...]) -> str:
    close = get_close_matches(name[:TEXT_LENGTH_MAX].lower(), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _text(value: object, name: str, longest: int | None = TEXT_LENGTH_MAX) -> str:
    if not isinstance(value, str):
        raise WireError(f"{name!r} must be text")
    if longest is not None and len(value) > longest:
        raise WireError(f"{name!r} is longer than {longest} characters")
    return value


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise WireError(f"{name!r} must be a whole number, not negative")
    return value


def _member(members: type[IntEnum]) -> Callable[[object, str], IntEnum]:
    names = {member.name.lower(): member for member in members}

    def decode(value: object, name: str) -> IntEnum:
        wanted = _text(value, name).strip().lower().replace(" ", "_").replace("-", "_")
        if wanted not in names:
            raise WireError(f"there is no {name} {value!r}{_meant(wanted, tuple(names))}", tuple(names))
        return names[wanted]

    return decode


def _parts(value: object, name: str) -> tuple[Mapping[str, Value], ...]:
    if not isinstance(value, list):
        raise WireError(f"{name!r} must be a list with one object a part")
    parts = tuple(_object(part, "a part") for part in value)
    for part in parts:
        for key, one in part.items():
            if not isinstance(one, bool | int | float | str):
                raise WireError(f"the part's value {key[:TEXT_LENGTH_MAX]!r} must be a number, a text, true or false")
    return parts


def _texts(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise WireError(f"{name!r} must be a list of texts")
    return tuple(_text(one, name) for one in value)


_FIELDS: Mapping[str, Callable[[object, str], Any]] = {
    "command": _member(Command),
    "mode": _member(Mode),
    "quantity": _count,
    "index": _count,
    "parts": _parts,
    "alarms": _texts,
    "for_ns": _count,
    **dict.fromkeys(("job", "recipe", "evidence", "question", "choice", "alarm", "reason"), _text),
}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise WireError(f"the message holds {text[:TEXT_LENGTH_MAX]}, which is not a finite number")
    return number


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("the message holds the same key twice")
    return found
