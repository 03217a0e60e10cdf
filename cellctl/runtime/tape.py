"""What a turn was, as one line of JSON, and back: `[now, [input, ...], [effect, ...]]`.

The rule kept here: exact. What is read back makes the core decide the same, and two lists of effects are equal if and
only if their lines are.

    [1764090000000000000, [["samples", ["plc.air_pressure", 6.01, 0, 1764090000000000000, 1764090000000000000]]], []]
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from cellctl.core.messages import (
    Alive,
    Call,
    CommandClass,
    Done,
    Effect,
    Entry,
    Input,
    LinkChanged,
    LinkState,
    Outcome,
    Reply,
    Request,
    Samples,
    Tick,
    Trouble,
    Write,
)
from cellctl.core.signal import Quality, Sample, Value
from cellctl.core.wire import decode_answer, decode_request, encode_answer, encode_request


class TapeError(ValueError):
    """A line that is no turn: why."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it was: its time (ns UTC), what had happened, what was decided."""

    now: int
    inputs: tuple[Input, ...]
    effects: tuple[Effect, ...]


def encoded(now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> str:
    """The line of a turn, without its end."""
    turn = [now, [_plain_input(each) for each in inputs], [_plain_effect(each) for each in effects]]
    return json.dumps(turn, separators=(",", ":"))


def decoded(line: str) -> Turn:
    """The turn in a line; TapeError if there is none."""
    try:
        match json.loads(line):
            case [int(now), list(inputs), list(effects)]:
                return Turn(now, tuple(map(_input, inputs)), tuple(map(_effect, effects)))
    except (ValueError, TypeError, KeyError) as error:
        raise TapeError(f"it cannot be read: {error}") from error
    raise TapeError("it is no turn")


def plain(effect: Effect) -> str:
    """An effect as text, to be compared with that of another."""
    return json.dumps(_plain_effect(effect), separators=(",", ":"))


def _plain_input(happened: Input) -> list[Any]:
    match happened:
        case Samples(samples):
            return ["samples", *map(_plain_sample, samples)]
        case Alive(device, time_ns, signals):
            return ["alive", device, time_ns, None if signals is None else sorted(signals)]
        case LinkChanged(device, state, reason, identity):
            return ["link", device, state.value, reason, identity]
        case Done(id, outcome, result, reason):
            return ["done", id, outcome.value, dict(result), reason]
        case Request():
            return ["request", encode_request(happened)]
        case Trouble(id=name, active=active, data=told):
            return ["trouble", name, active, dict(told)]
        case Tick():
            return ["tick"]
        case _:
            assert_never(happened)


def _input(data: Any) -> Input:
    match data:
        case ["samples", *samples]:
            return Samples(tuple(map(_sample, samples)))
        case ["alive", str(device), int(time_ns), signals]:
            return Alive(device, time_ns, None if signals is None else frozenset(signals))
        case ["link", str(device), state, str(reason), str(identity)]:
            return LinkChanged(device, LinkState(state), reason, identity)
        case ["done", int(id), outcome, dict(result), str(reason)]:
            return Done(id, Outcome(outcome), result, reason)
        case ["request", request]:
            return decode_request(request)
        case ["trouble", str(name), bool(active), dict(told)]:
            return Trouble(name, active, told)
        case ["tick"]:
            return Tick()
        case _:
            raise TapeError(f"{data!r} is nothing that can happen")


def _plain_effect(effect: Effect) -> list[Any]:
    match effect:
        case Write(id, signal, value, deadline_ns, kind):
            return ["write", id, signal, value, deadline_ns, kind.value]
        case Call(id, device, name, deadline_ns, arguments, token, kind):
            return ["call", id, device, name, deadline_ns, dict(arguments), token, kind.value]
        case Entry(kind=kind_of_entry, data=data):
            return ["entry", kind_of_entry, dict(data)]
        case Reply(answer):
            return ["reply", encode_answer(answer)]
        case _:
            assert_never(effect)


def _effect(data: Any) -> Effect:
    match data:
        case ["write", int(id), str(signal), value, int(deadline_ns), kind]:
            return Write(id, signal, value, deadline_ns, CommandClass(kind))
        case ["call", int(id), str(device), str(name), int(deadline_ns), dict(arguments), int(token), kind]:
            return Call(id, device, name, deadline_ns, arguments, token, CommandClass(kind))
        case ["entry", str(kind), dict(entry)]:
            return Entry(kind, entry)
        case ["reply", answer]:
            return Reply(decode_answer(answer))
        case _:
            raise TapeError(f"{data!r} is nothing that can be decided")


def _plain_sample(sample: Sample) -> list[Any]:
    told = [sample.signal, sample.value, int(sample.quality), sample.time_ns, sample.received_ns]
    return [*told, sample.reason] if sample.reason else told


def _sample(data: Any) -> Sample:
    match data:
        case [str(signal), value, int(quality), int(time_ns), int(received_ns), *reason]:
            return Sample(signal, _value(value), Quality(quality), time_ns, received_ns, *reason)
        case _:
            raise TapeError(f"{data!r} is no sample")


def _value(value: Any) -> Value | None:
    if isinstance(value, bool | int | float | str | None):
        return value
    raise TapeError(f"{value!r} is no value")
