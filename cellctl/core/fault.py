"""Faults and what is done about them: the policy of a step, and the questions that wait for a person.

The rule kept here: a recovery is chosen by the recipe or by a person, never guessed, and the choice is written down.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cellctl.core.messages import LinkChanged, LinkState
from cellctl.core.signal import Value

#: What a policy may end in: the reactions of the cell, and recoveries that need nobody.
REACTIONS = ("ask", "hold", "stop", "abort", "skip", "scrap")

_POLICY = re.compile(r"(?:retry\s+(\d{1,3})\s+then\s+)?([a-z_]+)\Z")


@dataclass(frozen=True, slots=True)
class Policy:
    """Retry so often by itself, then do `then`."""

    retries: int
    then: str


def parse_policy(text: str) -> Policy:
    """Read ``retry 2 then ask``; ValueError if it is not of that form."""
    match = _POLICY.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a policy such as 'retry 2 then ask'")
    return Policy(int(match[1] or 0), match[2])


@dataclass(frozen=True, slots=True)
class Question:
    """Something that a person must decide. `id` stays the same if the same question comes up again.

    `seen`: of a pulse with an unknown end, what the sensors around told when it was sent.
    """

    id: str
    kind: str
    text: str
    choices: tuple[str, ...]
    part: str = ""
    station: str = ""
    data: Mapping[str, Value] = field(default_factory=dict)
    seen: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the cell left Execute, or does not go on: first things first, with what to do about it."""

    kind: str
    id: str
    text: str
    do: str = ""


def not_connected(name: str, link: LinkChanged) -> Cause:
    """A device that cannot be used, as a cause; `name` as people call it."""
    if link.state is LinkState.WRONG_DEVICE:
        return Cause(
            "link", link.device, f"{name} is another device: {link.reason}", "Check its address and its cable."
        )
    reason = link.reason or link.state.value
    return Cause("link", link.device, f"{name} is not connected: {reason}", "Check its power and its cable.")
