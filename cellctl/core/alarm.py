"""Alarms: what needs a person, through the life that ISA-18.2 gives it: raised, acknowledged, returned; shelved by a
person, suppressed by the design of the cell.

The rules kept here: an alarm is raised when its condition is known to be true and returns when it is known to be false;
while it is unknown nothing changes. What a person has not seen stays until the person says so. Nothing is hidden for
longer than the cell's files allow, and what is hidden is still watched and written down.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from cellctl.core.alarm_book import FLOOD_ABOVE, FLOOD_BELOW, FLOOD_NS, INFO, PRIORITIES, AlarmBook, Standing
from cellctl.core.equipment import AlarmSpec
from cellctl.core.fault import Cause
from cellctl.core.messages import Acknowledge, LinkChanged, LinkState, Shelve, Trouble, Unshelve
from cellctl.core.signal import Value
from cellctl.core.site import Site
from cellctl.core.trouble import LINK_BOUND_NS, OF_LINKS, is_trouble, link_trouble, trouble_spec, trouble_words
from cellctl.core.units import duration_text
from cellctl.core.watchlist import Watchlist

__all__ = ["INFO", "PRIORITIES", "Alarm", "Alarms"]

#: What came so shortly before the cell left Execute belongs to that stop.
STOP_WINDOW_NS = 10_000_000_000

#: What is to be looked at first.
_ORDER = ("unacknowledged", "acknowledged", "returned", "normal", "shelved", "suppressed")


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as people see it: how it stands (`state`), since when it is raised (ns UTC), when it returned (0: it has
    not), whether it came first in this stop; if it is shelved, until when, by whom and why. `shelve_ns` is the longest
    that it may be shelved. `words` has text and what to do in every language that the files have.
    """

    id: str
    priority: str
    text: str
    do: str
    since_ns: int
    state: str = "unacknowledged"
    active: bool = True
    first_out: bool = False
    returned_ns: int = 0
    until_ns: int = 0
    by: str = ""
    reason: str = ""
    shelve_ns: int = 0
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Alarms:
    """The alarms of a cell at work."""

    def __init__(self, site: Site) -> None:
        self._site, self._outbox = site, site.outbox
        self._begun = False
        self._down: dict[str, tuple[str, int]] = {}  # device -> the alarm about it, and when that is due
        self._stopped_ns: int | None = None
        self._moved: list[str] = []
        self._equip()

    def _equip(self) -> None:
        """Know the alarms of the equipment."""
        alarms, image = self._site.equipment.alarms, self._site.image
        self._specs = {alarm.id: alarm for alarm in alarms}
        self._when = Watchlist(image, {alarm.id: alarm.when for alarm in alarms})
        self._suppress = Watchlist(image, {one.id: one.suppress for one in alarms if one.suppress is not None})
        self._fresh = True

    def refit(self) -> None:
        """Go on with an equipment that is another one than before."""
        before, image = (self._when, self._suppress), self._site.image
        self._equip()
        for mine, its in zip((self._when, self._suppress), before, strict=True):
            mine.remember(its)
            self._moved += mine.refresh(image.signals, image.now_ns)

    @property
    def signals(self) -> Collection[str]:
        """The signals that they look at."""
        return {*self._when.signals, *self._suppress.signals}

    @property
    def active(self) -> dict[str, Alarm]:
        """Those whose condition holds, hidden or not, by id."""
        return {name: self._told(name, one) for name, one in self._known() if one.active}

    @property
    def shown(self) -> list[Alarm]:
        """Those that somebody should look at: what is not acknowledged first, then the most urgent, then the oldest."""
        return self._sorted(hidden=False)

    @property
    def hidden(self) -> list[Alarm]:
        """Those that are shelved or suppressed."""
        return self._sorted(hidden=True)

    @property
    def demands(self) -> Iterator[tuple[str, Cause]]:
        """What the troubles of the controller make the cell do while they last: the reaction, and the cause."""
        for name, one in self._book.standing.items():
            if one.active and is_trouble(name) and (reaction := trouble_spec(name).reaction):
                yield reaction, Cause("trouble", name, *trouble_words(name, one.data)["en"])

    @property
    def wake_at(self) -> int | None:
        """When time alone may change one of them."""
        book = self._book
        due = [at for watchlist in (self._when, self._suppress) if (at := watchlist.wake_at) is not None]
        if self._down:
            due += [at for alarm, at in self._down.values() if not self._is_active(alarm)]
        if book.standing:
            due += [one.until_ns for one in book.standing.values() if one.until_ns]
        if (ends_at := self._flood_ends_at) is not None:
            due.append(ends_at)
        return min(due, default=None)

    # --- what happens -------------------------------------------------------------------------------------------

    def refresh(self, changed: Collection[str], now: int) -> None:
        """Evaluate the conditions that the changed signals and the time may have moved."""
        moved, self._moved = self._moved, []
        for name in (*self._suppress.refresh(changed, now), *moved):
            self._suppressed(name)
        moved += self._when.refresh(changed, now)
        for name in sorted(moved, key=lambda name: self._came_ns(name, changed)) if len(moved) > 1 else moved:
            watch = self._when.watches.get(name)
            if watch is not None and watch.value is not None:
                self._set(name, watch.value, {})

    def link(self, link: LinkChanged, *, needed: bool) -> None:
        """A connection came or went."""
        known = self._down.pop(link.device, None)
        if link.state is LinkState.CONNECTED:
            for kind in OF_LINKS:
                self._set(f"{kind}.{link.device}", False, {})
            return
        alarm = link_trouble(link, needed=needed)
        if known is not None and (known[0] == alarm or link.state is LinkState.CONNECTING):
            self._down[link.device] = known
            return
        if known is not None:
            self._set(known[0], False, {})
        bound_ns = 0 if link.state is LinkState.WRONG_DEVICE else LINK_BOUND_NS
        self._down[link.device] = (alarm, self._outbox.now + bound_ns)

    def trouble(self, trouble: Trouble) -> None:
        """The runtime tells of a trouble of its own."""
        self._set(trouble.id, trouble.active, trouble.data)

    def work(self, links: Mapping[str, LinkChanged], needed: Collection[str], *, going: bool) -> None:
        """What time does, at the end of a turn. `going`: the cell is in Execute."""
        if self._fresh:
            self._begin(links, needed)
        now, standing = self._outbox.now, self._book.standing
        for device, (alarm, due_ns) in self._down.items():
            if now >= due_ns and not self._is_active(alarm):
                name = self._site.equipment.devices.get(device) or device
                self._set(alarm, True, {"name": name, "reason": links[device].reason or links[device].state.value})
        for name in [name for name, one in standing.items() if 0 < one.until_ns <= now]:
            self._outbox.note("alarm.unshelved", alarm=name, by="")
        self._mark_first(going)
        self._tell_flood()

    def _begin(self, links: Mapping[str, LinkChanged], needed: Collection[str]) -> None:
        """Before the first turn ends: what the memory holds and nobody can tell of any more; what is not connected."""
        for name, one in list(self._book.standing.items()):
            device = name.partition(".")[2]
            if name not in self._specs and not is_trouble(name):
                self._outbox.note("alarm.removed", alarm=name)
            elif not self._begun and one.active and is_trouble(name) and device not in links:
                self._set(name, False, {})  # a trouble of the run before; one that goes on is told anew
        for link in links.values():
            if link.state is not LinkState.CONNECTED and link.device not in self._down:
                self.link(link, needed=link.device in needed)
        self._begun, self._fresh = True, False

    def _suppressed(self, name: str) -> None:
        watch = self._suppress.watches.get(name)
        one = self._book.standing.get(name)
        before = one is not None and one.suppressed
        if watch is not None and (watch.value is True) is not before:
            if before:
                self._outbox.note("alarm.unsuppressed", alarm=name)
            else:
                self._outbox.note("alarm.suppressed", alarm=name)

    def _set(self, name: str, raised: bool, data: Mapping[str, Value]) -> None:
        """Have the alarm raised, or returned, if it is not so already."""
        if raised is self._is_active(name):
            return
        if not raised:
            self._outbox.note("alarm", alarm=name, raised=False)
            return
        words, priority, _ = self._declared(name, data)
        more = {"data": dict(data)} if data else {}
        self._outbox.note("alarm", alarm=name, raised=True, priority=priority, text=words["en"][0], **more)

    def _mark_first(self, going: bool) -> None:
        """Of what came within one stop the first is marked, and stays so until the cell goes on."""
        if going:
            self._stopped_ns = None
            return
        if self._stopped_ns is None:
            self._stopped_ns = self._outbox.now
        book = self._book
        if book.first or not book.standing:
            return
        since_ns = self._stopped_ns - STOP_WINDOW_NS
        for name, one in book.standing.items():  # in the order in which they came
            if one.active and not one.hidden and one.priority != INFO and one.since_ns >= since_ns:
                self._outbox.note("alarm.first", alarm=name)
                return

    def _tell_flood(self) -> None:
        book, now = self._book, self._outbox.now
        if not book.flood:
            if len(book.raised) > FLOOD_ABOVE and now - book.raised[0] < FLOOD_NS:
                self._outbox.note("alarm.flood", active=True)
        elif (ends_at := self._flood_ends_at) is not None and now >= ends_at:
            self._outbox.note("alarm.flood", active=False)

    @property
    def _flood_ends_at(self) -> int | None:
        """When the flood is over if no further alarm comes."""
        return self._book.raised[-FLOOD_BELOW] + FLOOD_NS if self._book.flood else None

    # --- what people ask for ------------------------------------------------------------------------------------

    def perform(self, action: Acknowledge | Shelve | Unshelve, by: str) -> str | None:
        """Do what is asked; None, or why not."""
        named = action.alarms if isinstance(action, Acknowledge) else (action.alarm,)
        for name in named:
            if name not in self._specs and name not in self._book.standing:
                return f"there is no alarm {name!r}"
        match action:
            case Acknowledge(alarms):
                return self._acknowledge(alarms, by)
            case Shelve():
                return self._shelve(action, by)
            case _:
                return self._unshelve(action.alarm, by)

    def _acknowledge(self, alarms: tuple[str, ...], by: str) -> str | None:
        standing = self._book.standing
        wanting = [name for name in dict.fromkeys(alarms) if name in standing and not standing[name].acked]
        if not wanting:
            named = f"the alarm {alarms[0]} needs no" if len(alarms) == 1 else "none of these alarms needs an"
            return f"{named} acknowledgement"
        for name in wanting:
            self._outbox.note("alarm.acked", alarm=name, by=by)
        return None

    def _shelve(self, asked: Shelve, by: str) -> str | None:
        name, one = asked.alarm, self._book.standing.get(asked.alarm)
        longest = self._declared(name, {})[2]
        if longest == 0:
            return f"the alarm {name} may not be shelved"
        if not 0 < asked.for_ns <= longest:
            return f"the alarm {name} may be shelved for at most {duration_text(longest)}"
        if not asked.reason.strip():
            return f"say why the alarm {name} is to be shelved"
        if one is not None and one.until_ns:
            return f"the alarm {name} is shelved already; end that first"
        until_ns = self._outbox.now + asked.for_ns
        self._outbox.note("alarm.shelved", alarm=name, until_ns=until_ns, by=by, reason=asked.reason.strip())
        return None

    def _unshelve(self, name: str, by: str) -> str | None:
        one = self._book.standing.get(name)
        if one is None or not one.until_ns:
            return f"the alarm {name} is not shelved"
        self._outbox.note("alarm.unshelved", alarm=name, by=by)
        return None

    # --- how they stand -----------------------------------------------------------------------------------------

    @property
    def _book(self) -> AlarmBook:
        return self._site.memory.alarms

    def _is_active(self, name: str) -> bool:
        one = self._book.standing.get(name)
        return one is not None and one.active

    def _came_ns(self, name: str, changed: Collection[str]) -> int:
        """When what moved the alarm was heard: several may come in one turn, and one of them was the first."""
        image, watch = self._site.image, self._when.watches.get(name)
        heard = [image.read(signal).received_ns for signal in watch.signals if signal in changed] if watch else []
        return max(heard, default=image.now_ns)

    def _known(self) -> Iterator[tuple[str, Standing]]:
        for name, one in self._book.standing.items():
            if name in self._specs or is_trouble(name):
                yield name, one

    def _sorted(self, *, hidden: bool) -> list[Alarm]:
        told = [self._told(name, one) for name, one in self._known() if one.hidden is hidden]
        return sorted(told, key=lambda one: (_ORDER.index(one.state), PRIORITIES.index(one.priority), one.since_ns))

    def _declared(self, name: str, data: Mapping[str, Value]) -> tuple[Mapping[str, tuple[str, str]], str, int]:
        """Its words by language (English always), its priority, and for how long it may be shelved."""
        spec: AlarmSpec | None = self._specs.get(name)
        if spec is not None:
            return {**spec.words, "en": (spec.text, spec.do)}, spec.priority, spec.shelve_ns
        trouble = trouble_spec(name)
        return trouble_words(name, data), trouble.priority, trouble.shelve_ns

    def _told(self, name: str, one: Standing) -> Alarm:
        words, priority, shelve_ns = self._declared(name, one.data)
        text, do = words["en"]
        return Alarm(
            name,
            priority,
            text,
            do,
            one.since_ns,
            one.state,
            one.active,
            name == self._book.first,
            one.returned_ns,
            one.until_ns,
            one.by,
            one.reason,
            shelve_ns,
            {language: {"text": text, "do": do} for language, (text, do) in words.items()},
        )
