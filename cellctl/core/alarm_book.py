"""What a cell must not forget of its alarms: how each of them stands in its life from coming to being normal again.

The rule kept here: the book changes by `apply` alone, with what goes into the journal. Only alarms that are not normal
stand in it, so that it never holds more than the cell has alarms.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from cellctl.core.signal import Value

#: Most urgent first. An alarm of the last one only informs: it needs no acknowledgement.
PRIORITIES = ("high", "medium", "low", "info")
INFO = "info"

#: More alarms than this within the time are a flood, and fewer than that end it (ISA-18.2, IEC 62682).
FLOOD_ABOVE, FLOOD_BELOW, FLOOD_NS = 10, 5, 600_000_000_000

#: The kinds of entries that tell of alarms; a change of the state is among them: the mark of the first ends with it.
OF_ALARMS = frozenset(
    {
        "alarm",
        "alarm.acked",
        "alarm.shelved",
        "alarm.unshelved",
        "alarm.suppressed",
        "alarm.unsuppressed",
        "alarm.first",
        "alarm.flood",
        "alarm.removed",
        "state",
    }
)

#: The state in which the cell has gone on.
_GOING = "Execute"


@dataclass(slots=True)
class Standing:
    """How an alarm stands. `until_ns` is above 0 while it is shelved, by whom and why; `data` belongs to its text."""

    priority: str = ""
    active: bool = False
    acked: bool = True
    since_ns: int = 0
    returned_ns: int = 0
    until_ns: int = 0
    by: str = ""
    reason: str = ""
    suppressed: bool = False
    data: Mapping[str, Value] = field(default_factory=dict)

    @property
    def hidden(self) -> bool:
        """Whether nobody is to be disturbed by it now."""
        return self.suppressed or self.until_ns > 0

    @property
    def normal(self) -> bool:
        """Whether there is nothing to be told of it."""
        return self.acked and not self.active and not self.hidden

    @property
    def state(self) -> str:
        """The state in the words of ISA-18.2."""
        if self.hidden:
            return "suppressed" if self.suppressed else "shelved"
        if self.active:
            return "acknowledged" if self.acked else "unacknowledged"
        return "normal" if self.acked else "returned"


class AlarmBook:
    """The fold of what the journal tells of alarms. `first` is the alarm that came first in the present stop."""

    def __init__(self) -> None:
        self.standing: dict[str, Standing] = {}
        self.first = ""
        self.flood = False
        self.raised: list[int] = []  # when the last alarms came, so many as tell of a flood

    def apply(self, kind: str, data: Mapping[str, Any], time_ns: int) -> None:
        """Take an entry of the journal that is one of `OF_ALARMS`. KeyError if it is not of this form."""
        match kind:
            case "state":
                if data["state"] == _GOING:
                    self.first = ""
                    self._tidy()
            case "alarm.first":
                self.first = data["alarm"]
            case "alarm.flood":
                self.flood = data["active"]
            case "alarm" if data["raised"]:
                one = self._of(data)
                self._raise(one, data, time_ns)
                self.standing[data["alarm"]] = self.standing.pop(data["alarm"])  # in the order in which they came
            case _:
                self._change(kind, self._of(data), data, time_ns)
                self._tidy()

    def _raise(self, one: Standing, data: Mapping[str, Any], time_ns: int) -> None:
        one.priority, one.data = data.get("priority", ""), data.get("data", {})
        one.active, one.since_ns, one.returned_ns = True, time_ns, 0
        one.acked = one.hidden or one.priority == INFO
        if not one.acked:
            self.raised = [*self.raised[-FLOOD_ABOVE:], time_ns]

    def _change(self, kind: str, one: Standing, data: Mapping[str, Any], time_ns: int) -> None:
        match kind:
            case "alarm":
                one.active, one.returned_ns = False, time_ns
            case "alarm.acked":
                one.acked = True
            case "alarm.shelved":
                one.until_ns, one.by, one.reason, one.acked = data["until_ns"], data["by"], data["reason"], True
            case "alarm.unshelved":
                one.until_ns, one.by, one.reason = 0, "", ""
                _show(one)
            case "alarm.suppressed":
                one.suppressed = one.acked = True
            case "alarm.unsuppressed":
                one.suppressed = False
                _show(one)
            case _:  # it is removed from the files
                del self.standing[data["alarm"]]

    def _of(self, data: Mapping[str, Any]) -> Standing:
        return self.standing.setdefault(data["alarm"], Standing())

    def _tidy(self) -> None:
        """Forget what is normal; the first of a stop is kept until the cell goes on, or nothing else is left."""
        left = (one for one in self.standing.values() if not (one.normal or one.hidden or one.priority == INFO))
        if not any(left):
            self.first = ""
        self.standing = {name: one for name, one in self.standing.items() if not one.normal or name == self.first}

    def plain(self) -> dict[str, Any]:
        """All of it as JSON data."""
        standing = {name: {**asdict(one), "data": dict(one.data)} for name, one in self.standing.items()}
        return {"standing": standing, "first": self.first, "flood": self.flood, "raised": self.raised}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The book that `data` is of. KeyError or TypeError if it is none."""
        book = cls()
        book.standing = {name: Standing(**one) for name, one in data["standing"].items()}
        book.first, book.flood, book.raised = data["first"], data["flood"], list(data["raised"])
        return book


def _show(one: Standing) -> None:
    """An alarm that comes out of hiding wants to be seen."""
    one.acked = one.hidden or not one.active or one.priority == INFO
