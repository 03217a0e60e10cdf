"""The cell: a function from what happened to what to do.

`Cell.step(now, inputs) -> effects` is all there is: no await, no clock, no I/O. The same inputs at the same times give
the same effects, so an incident replays exactly, and a running job is data. `wake_at` tells when time alone may change
something; `view.py` tells what people and other systems are shown.
"""

from collections.abc import Iterable, Iterator, Set
from typing import Protocol, assert_never

from cellctl.core.alarm import Alarms
from cellctl.core.changeover import Changeover
from cellctl.core.fault import Cause, not_connected
from cellctl.core.interlock import PRODUCING, Interlocks
from cellctl.core.memory import Memory, Walk
from cellctl.core.memory_plain import plain
from cellctl.core.messages import (
    Acknowledge,
    AddJob,
    Alive,
    CancelChangeover,
    CancelJob,
    ConfirmStep,
    Done,
    Effect,
    Input,
    LinkChanged,
    LinkState,
    Operate,
    Receipt,
    Recover,
    Refused,
    Request,
    Samples,
    SetMode,
    Shelve,
    StartChangeover,
    Tick,
    Trouble,
    Unshelve,
)
from cellctl.core.operation import Operation
from cellctl.core.outbox import SNAPSHOT, Outbox
from cellctl.core.packml import Command, State
from cellctl.core.production import Production
from cellctl.core.routine import Routine
from cellctl.core.safe_side import SafeSide
from cellctl.core.signal import Image
from cellctl.core.site import Site

S = State

#: How often old samples are looked for at most: a silent loss is noticed this much after a sample is stale.
SWEEP_NS = 250_000_000
#: After so many entries the whole memory is written down, so that a start has no more than these to fold.
SNAPSHOT_EVERY = 5_000
#: A cell that changes its state more often than this in one turn runs in a circle: the rest waits for the next turn.
STATES_PER_TURN = 20

#: Only here may a changeover begin: nothing moves, and nothing is in process.
_CHANGEOVER_IN = frozenset({S.STOPPED, S.IDLE, S.COMPLETED})
#: Here a changeover that stands may wait until the cell is back.
_WAY_BACK = frozenset({S.STOPPING, S.ABORTING, S.ABORTED, S.CLEARING})
#: Commands that need every device that the stations use.
_NEED_DEVICES = frozenset({Command.RESET, Command.START, Command.UNHOLD})
#: Why a changeover stands that was in work when control ended.
STARTED_AGAIN = "control was started again"
#: Commands that a cell does not take while its controller is in trouble.
_GO_ON = _NEED_DEVICES | {Command.CLEAR, Command.UNSUSPEND}


class _Timed(Protocol):
    @property
    def wake_at(self) -> int | None: ...


class Cell:
    """One cell. Only `step` changes it. `missing` tells the devices that the stations use and that are not there."""

    def __init__(self, memory: Memory, *, state: State = State.STOPPED) -> None:
        self.equipment = equipment = memory.equipment
        self.memory = memory
        self.image = Image(equipment.signals.values())
        self.outbox = Outbox(memory)
        self.safe_side = SafeSide(self.outbox)
        site = Site(equipment, self.image, memory, self.outbox)
        self.production = Production(site)
        self.operation = Operation(site, self.production, state)
        self.changeover = _taken_up(site, memory.walk)
        self.links: dict[str, LinkChanged] = {}
        self.site = site
        self.interlocks = Interlocks(self.image, equipment.interlocks)
        self.alarms = Alarms(site)
        self._swept_ns = 0
        self._know_devices()
        self._awaited: set[str] | None = None
        self._changed: set[str] = set()

    def refit(self) -> None:
        """Take over the signals, interlocks, alarms and devices of an equipment that is another one than before."""
        self.image.declare(self.equipment.signals.values())
        self.interlocks = Interlocks(self.image, self.equipment.interlocks, self.interlocks)
        self.alarms.refit()
        self._know_devices()

    def _know_devices(self) -> None:
        equipment = self.equipment
        for device in equipment.devices:
            self.links.setdefault(device, LinkChanged(device, LinkState.CONNECTING, "not tried yet"))
        self.needed = frozenset().union(*(station.uses for station in equipment.stations.values()))
        self.missing = self._missing()
        self._always = frozenset([*self.interlocks.signals, *self.alarms.signals])

    # --- what the runtime calls ---------------------------------------------------------------------------------

    def step(self, now: int, inputs: Iterable[Input]) -> list[Effect]:
        """Take what happened until `now` (ns UTC, never going back), decide, and give the effects in their order."""
        self.outbox.now = self.image.now_ns = now
        for each in inputs:
            self._take(each)
        if now >= self._swept_ns + SWEEP_NS and now > self.image.stale_at:
            self._changed.update(self.image.expire(now))
            self._swept_ns = now
        self._watch()
        for _ in range(STATES_PER_TURN):
            if not (self._react() or self.operation.work()):
                break
        self.safe_side.work(self.links)
        self.alarms.work(self.links, self.needed, going=self.state is S.EXECUTE)
        self._change_over()
        if self.outbox.noted >= SNAPSHOT_EVERY:
            self.outbox.note(SNAPSHOT, memory=plain(self.memory))
        self._awaited = None
        return self.outbox.take()

    @property
    def wake_at(self) -> int:
        """When the cell wants to be stepped even if nothing happens (ns UTC)."""
        due_at, sweep_at = self.due_at, max(self._swept_ns + SWEEP_NS, self.image.stale_at + 1)
        return sweep_at if due_at is None else min(due_at, sweep_at)

    @property
    def due_at(self) -> int | None:
        """When time alone may let something go on (ns UTC)."""
        runs = [*self.production.runs, *self.operation.runs]
        rooms: list[_Timed] = [self.interlocks, self.alarms, self.operation, self.safe_side, *runs]
        if (changeover := self.changing_over) is not None:
            rooms.append(changeover)
        return min([at for room in rooms if (at := room.wake_at) is not None], default=None)

    def awaits(self, happened: Input) -> bool:
        """Whether something may come of it now; a reading that nobody waits for can be taken with the next step."""
        match happened:
            case Samples(samples):
                awaited = self.awaited
                return any(sample.signal in awaited for sample in samples)
            case Alive(device, signals=None):
                return device in self.awaited
            case Alive(signals=signals):
                return signals is not None and not self.awaited.isdisjoint(signals)
            case _:
                return True

    @property
    def awaited(self) -> Set[str]:
        """The signals that somebody waits for, and their devices."""
        if self._awaited is None:
            self._awaited = set(self._always)
            for run in (*self.production.runs, *self.operation.runs):
                self._awaited.update(run.awaited)
            if (changeover := self.changing_over) is not None:
                self._awaited.update(changeover.awaited)
            self._awaited.update({name.partition(".")[0] for name in self._awaited})
        return self._awaited

    @property
    def at_rest(self) -> bool:
        """Whether no phase is running and no changeover is in work: then the cell is plain data, and can be copied."""
        late = any(part.late for part in self.memory.parts)
        return not (late or self.production.runs or self.operation.routine or self.changing_over)

    @property
    def state(self) -> State:
        """The PackML state."""
        return self.operation.state

    # --- inputs -------------------------------------------------------------------------------------------------

    def _take(self, happened: Input) -> None:
        match happened:
            case Samples(samples):
                self._changed.update(sample.signal for sample in samples if self.image.take(sample))
            case Alive(device, time_ns, signals):
                self._changed.update(self.image.confirm(device, time_ns, signals))
            case Done():
                self._answered(happened)
            case LinkChanged():
                self._link(happened)
            case Request():
                self.outbox.reply(self._answer_once(happened))
            case Trouble():
                self.alarms.trouble(happened)
            case Tick():
                pass
            case _:
                assert_never(happened)

    def _answered(self, done: Done) -> None:
        self.safe_side.answered(done)
        for room in self._at_work():
            room.answer(done)

    def _link(self, link: LinkChanged) -> None:
        if link.device not in self.links:
            return
        before, self.links[link.device] = self.links[link.device], link
        self.missing = self._missing()
        if link.state is LinkState.CONNECTED:
            self.safe_side.connected(link.device)
        if link.state is not before.state:
            self.outbox.note("link", device=link.device, state=link.state.value, reason=link.reason)
        self.alarms.link(link, needed=link.device in self.needed)
        if link.state in (LinkState.LOST, LinkState.WRONG_DEVICE):
            self._changed.update(self.image.lose(link.device, self.outbox.now, link.reason))
            for room in self._at_work():
                room.lose(link.device, link.reason)

    def _at_work(self) -> Iterator[Production | Routine | Changeover]:
        """What may have orders under way, or wait for a device."""
        for room in (self.production, self.operation.routine, self.changeover):
            if room is not None:
                yield room

    def _missing(self) -> list[Cause]:
        """The devices that the stations use and that are not connected."""
        return [
            not_connected(self.name_of(link.device), link)
            for link in self.links.values()
            if link.device in self.needed and link.state is not LinkState.CONNECTED
        ]

    # --- decisions ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Evaluate the interlocks and alarms that the changed signals and the time may have moved."""
        now = self.outbox.now
        for name, fulfilled in self.interlocks.refresh(self._changed, now):
            self.outbox.note("interlock", interlock=name, fulfilled=fulfilled)
        self.alarms.refresh(self._changed, now)
        self._changed.clear()

    def _react(self) -> bool:
        """Let interlocks and lost devices have their way; True if the state is another one now."""
        if reaction := self.interlocks.reaction(self.state):
            command, interlock = reaction
            return self.operation.force(command, self.interlocks.cause(interlock, self.outbox.now))
        for demanded, cause in self.alarms.demands:
            if demanded == "abort" and not self.operation.packml.refusal(Command.ABORT):
                return self.operation.force(Command.ABORT, cause)
            if self.state in PRODUCING:
                return self.operation.force(Command.HOLD, cause)
        if self.missing and self.state in PRODUCING:
            return self.operation.force(Command.HOLD, self.missing[0])
        if self.state is S.SUSPENDED and self.operation.suspended_by_itself and not self.interlocks.broken("suspend"):
            return self.operation.fire(Command.UNSUSPEND, Cause("cleared", "suspend", "The cause is gone")) is None
        return False

    def name_of(self, device: str) -> str:
        """The device as people call it."""
        return self.equipment.devices.get(device) or device

    def _change_over(self) -> None:
        changeover = self.changeover
        if changeover is None or self.memory.loaded is not None:
            return
        if self.state not in _CHANGEOVER_IN and not (changeover.failed and self.state in _WAY_BACK):
            self._cancel_changeover(changeover, "the cell left the state for it")
            return
        changeover.advance()
        if changeover.done:
            self.production.load(changeover.recipe)

    def _cancel_changeover(self, changeover: Changeover, reason: str) -> None:
        changeover.close()
        self.outbox.note("changeover.cancelled", recipe=changeover.recipe.id, reason=reason)
        self.changeover = None

    # --- requests -----------------------------------------------------------------------------------------------

    def _answer_once(self, request: Request) -> Receipt | Refused:
        """The answer to a request; a repeated one gets what it got before."""
        if request.id in self.memory.answers:
            return self.memory.answers[request.id]
        reason = self._perform(request)
        kind = type(request.action).__name__
        asked = {"id": request.id, "action": kind, "by": request.by, "via": request.via}
        if reason is None:
            self.outbox.note("request", **asked, state=self.state.title)
        else:
            possible = self.possible() if isinstance(request.action, Operate) else ()
            self.outbox.note("refused", **asked, reason=reason, possible=list(possible))
        return self.memory.answers[request.id]

    def _perform(self, request: Request) -> str | None:
        """Do what is asked; None, or why not."""
        match request.action:
            case Operate(command):
                return self.refusal(command) or self.operation.fire(command, by=request.by or request.via)
            case SetMode(mode):
                return self.operation.change_mode(mode, request.by or request.via)
            case AddJob():
                return self.production.add(request.action)
            case CancelJob(job):
                return self.production.cancel(job)
            case StartChangeover(recipe):
                return self._start_changeover(recipe)
            case ConfirmStep():
                changeover = self.changing_over
                if changeover is not None and self.state in _WAY_BACK:
                    return f"the changeover cannot go on in state {self.state.title}"
                return changeover.confirm(request.action) if changeover else "no changeover is in work"
            case CancelChangeover():
                if (changeover := self.changing_over) is None:
                    return "no changeover is in work"
                self._cancel_changeover(changeover, f"cancelled by {request.by or request.via or 'request'}")
                return None
            case Recover(question, choice):
                return self.production.recover(question, choice, request.by or request.via)
            case Acknowledge() | Shelve() | Unshelve():
                return self.alarms.perform(request.action, request.by or request.via)
            case _:
                assert_never(request.action)

    def refusal(self, command: Command) -> str | None:
        """Why `command` would be refused now, or None."""
        if reason := self.operation.packml.refusal(command):
            return reason
        if command in _NEED_DEVICES and self.missing:
            return f"{command.title} is not possible: {self.missing[0].text}"
        if command in _GO_ON and (cause := next((cause for _, cause in self.alarms.demands), None)):
            return f"{command.title} is not possible: {cause.text}"
        if reason := self.interlocks.refusal(command):
            return reason
        if command in (Command.RESET, Command.START) and (changeover := self.changing_over):
            return f"{command.title} is not possible: the changeover to {changeover.recipe.id} is in work; end it first"
        return None

    @property
    def changing_over(self) -> Changeover | None:
        """The changeover in work."""
        return None if self.changeover is None or self.changeover.done else self.changeover

    def possible(self) -> tuple[str, ...]:
        """The commands that would be accepted now, as people type them."""
        return tuple(command.name.lower() for command in self.operation.packml.legal() if not self.refusal(command))

    def _start_changeover(self, recipe_id: str) -> str | None:
        recipe = self.equipment.recipes.get(recipe_id)
        if recipe is None:
            return f"there is no recipe {recipe_id!r}; there are {', '.join(self.equipment.recipes) or 'none'}"
        if self.state not in _CHANGEOVER_IN:
            allowed = ", ".join(state.title for state in sorted(_CHANGEOVER_IN))
            return f"a changeover is not possible in state {self.state.title}; it is in {allowed}"
        if self.memory.parts:
            return f"part {self.memory.parts[0].serial} is still in process: Reset, Start, Complete finishes it"
        if changeover := self.changing_over:
            return f"the changeover to {changeover.recipe.id} is in work"
        self.outbox.note("changeover", recipe=recipe.id, version=recipe.version)
        self.changeover = Changeover(self.site, recipe)
        return None


def _taken_up(site: Site, walk: Walk | None) -> Changeover | None:
    """The changeover that was in work when control ended; it goes on when a person says so."""
    recipe = None if walk is None else site.equipment.recipes.get(walk.recipe)
    if walk is None or recipe is None:
        return None
    return Changeover(site, recipe, walk.index, f"{STARTED_AGAIN}: confirm this step to go on")
