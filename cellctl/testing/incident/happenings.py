"""What happened in a recording that nobody had asked for: the cell was held, a phase failed, an alarm came.

The rule kept here: each kind is told by the entry of the journal that tells it to a person, in one table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cellctl.core.messages import Effect, Entry

#: Commands that the cell gives itself when something is wrong.
_STOPS = ("Hold", "Suspend", "Stop", "Abort")


@dataclass(frozen=True, slots=True)
class Happening:
    """`kind` and `id` say what it is, however often and whenever it happens; `time_ns` UTC."""

    time_ns: int
    kind: str
    id: str
    text: str

    def same(self, other: "Happening") -> bool:
        """Whether the other is of the same thing."""
        return (self.kind, self.id) == (other.kind, other.id)


def happenings(now: int, effects: Iterable[Effect]) -> Iterator[Happening]:
    """What a turn tells of what nobody had asked for."""
    for effect in effects:
        if isinstance(effect, Entry) and (told := _TELLING.get(effect.kind)):
            yield from (Happening(now, *one) for one in told(effect.data))


Told = Iterator[tuple[str, str, str]]


def _command(data: Mapping[str, Any]) -> Told:
    if data["command"] in _STOPS and data["cause"]:
        yield (
            data["command"].lower(),
            data["cause"],
            f"{data['command']} in {data['state']}, because of {data['cause']}",
        )


def _alarm(data: Mapping[str, Any]) -> Told:
    if data["raised"]:
        yield "alarm", data["alarm"], f"The alarm {data['alarm']} is raised"


def _fault(data: Mapping[str, Any]) -> Told:
    where = data.get("step") or data.get("state", "")
    yield "fault", f"{where}/{data.get('fault', '')}".rstrip("/"), str(data.get("text", ""))


def _question(data: Mapping[str, Any]) -> Told:
    _, _, place = str(data["question"]).partition("/")
    yield "question", place, str(data["text"])


def _link(data: Mapping[str, Any]) -> Told:
    if data["state"] in ("lost", "wrong device"):
        yield "link", data["device"], f"{data['device']} is {data['state']}: {data['reason']}"


_TELLING: Mapping[str, Callable[[Mapping[str, Any]], Told]] = {
    "command": _command,
    "alarm": _alarm,
    "fault": _fault,
    "question": _question,
    "link": _link,
}
