"""One phase being executed: the coroutine driven by hand, what it waits for, and what becomes of its orders.

The rules kept here: a phase never holds anything up (closing it is immediate, its safe orders go out first), and a
pulse is sent only if it is known that it was not executed before.
"""

import traceback
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from cellctl.core.condition import Watch, fill, refs_of
from cellctl.core.context import (
    AskPerson,
    Invoke,
    PhaseContext,
    RaiseFault,
    SetSignal,
    Sleep,
    Surroundings,
    Until,
    Wish,
    result_of,
)
from cellctl.core.equipment import CommandSpec
from cellctl.core.messages import CommandClass, Done, Outcome
from cellctl.core.outbox import Outbox
from cellctl.core.parameter import Parameter
from cellctl.core.phase import PhaseDefinition, PhaseFault
from cellctl.core.probing import Probe, Verdict, before, witnesses
from cellctl.core.progress import doubt_of
from cellctl.core.signal import Signal, Value
from cellctl.core.units import duration_text
from cellctl.core.wait import ForAnswer, ForCondition, ForOrder, ForProbe, ForTime, Wait

#: A phase that goes on this often within one turn without ever waiting is running in a circle.
STEPS_PER_TURN = 1_000
#: How long after an order's deadline its answer is waited for: the driver answers at the deadline, this is its slack.
ANSWER_GRACE_NS = 1_000_000_000
#: How long a device that is back may take to tell whether a pulse was executed.
PROBE_TIMEOUT_NS = 5_000_000_000

#: Whatever the code of a phase raises ends the phase, never the cell.
_RAISED = (Exception, SystemExit, GeneratorExit)
_CORE = __file__.rpartition("/")[0]
_ONCE = (CommandClass.PULSE, CommandClass.BLOCK)
_FAULT_OF = {Outcome.REFUSED: "refused", Outcome.NOT_SENT: "no_reply", Outcome.UNKNOWN: "no_reply"}


class PhaseRun:
    """A phase from its start to its end. `ended` is None while it runs, then True or the fault that ended it."""

    def __init__(self, definition: PhaseDefinition, around: Surroundings, outbox: Outbox) -> None:
        self.definition = definition
        self.context = PhaseContext(around)
        self.wait: Wait | None = None
        self.ended: PhaseFault | bool | None = None
        self._around = around
        self._image = around.image
        self._progress = around.progress
        self._outbox = outbox
        self._coroutine = definition.function(self.context, **around.parameters)
        self._next: tuple[bool, Any] = (True, None)  # send this value, or throw this fault
        self._witnesses: dict[str, tuple[str, ...]] = {}

    @property
    def busy(self) -> bool:
        """Whether a pulse is on its way: a hold lets it come to its end."""
        match self.wait:
            case ForOrder(wish=Invoke(spec)) | ForCondition(wish=Invoke(spec), probing=False):
                return spec.command_class in _ONCE
            case _:
                return False

    @property
    def order(self) -> int | None:
        """The number of the order that is on its way, if the phase waits for one."""
        return self.wait.order if isinstance(self.wait, ForOrder) else None

    @property
    def awaited(self) -> Iterable[str]:
        """The signals that may let the phase go on."""
        return () if self.wait is None else self.wait.awaited

    @property
    def wake_at(self) -> int | None:
        """When time alone may let the phase go on."""
        return None if self.wait is None else self.wait.wake_at

    def advance(self) -> None:
        """Go on as far as possible at the outbox's `now`: until the phase waits for something or has ended."""
        for _ in range(STEPS_PER_TURN):
            if self.ended is not None or (self.wait is not None and not self._look()):
                return
            self._drive()
        self._fail("error", f"{self.definition.name} goes on and on without waiting for anything")
        self._drive()

    def wind_down(self) -> bool:
        """Let a pulse come to its end, and nothing after it; True when none is on its way."""
        return not self.busy or self._look()

    def answer(self, done: Done) -> None:
        """Take the answer to an order, also a late one of a phase that was closed meanwhile."""
        wait = self.wait
        if not isinstance(wait, ForOrder) or wait.order != done.id:
            return
        if isinstance(wait.wish, Invoke) and wait.wish.spec.command_class in _ONCE:
            self._settle(wait.wish, wait.token, done)
        if self.ended is not None:
            return
        if done.outcome is not Outcome.CONFIRMED:
            kind = "mismatch" if "read_back" in done.result else _FAULT_OF[done.outcome]
            self._fail(kind, f"{_name(wait.wish)}: {done.reason or done.outcome.value}")
        elif isinstance(wait.wish, Invoke):
            self._confirmed(wait.wish, wait.token, done.result)
        else:
            self._resume(None)

    def lose(self, device: str, reason: str) -> None:
        """A device is gone: a wait for one of its signals is in vain."""
        match self.wait:
            case ForCondition(watch=needed) | ForProbe(probe=needed):
                if any(self._image.signals[name].device == device for name in needed.signals):
                    self._fail("no_reply", f"{device}: {reason}")

    def close(self) -> None:
        """End the phase now: its safe orders go out first, then the coroutine is closed."""
        for wish in reversed(self.context.safe_orders):
            send_safe(wish, self._outbox)
        if self.ended is None:
            self.ended = False
            self._abandon()

    def waits_for(self) -> Iterator[str]:
        """What the phase waits for, in words."""
        now, name = self._outbox.now, self.definition.name
        match self.wait:
            case ForOrder(wish):
                yield f"{name}: waits for the answer to {_name(wish)}"
            case ForCondition(wish, watch, limit_ns):
                left = "" if limit_ns is None else f" ({duration_text(max(0, limit_ns - now))} left)"
                for line in watch.why(self._image, now) or [f"the values of {_name(wish)}"]:
                    yield f"{name}: waits for {line}{left}"
            case ForProbe(wish, probe, limit_ns):
                missing = [] if probe.done is None else probe.done.why(self._image, now)
                for line in missing or [f"what became of {_name(wish)}"]:
                    yield f"{name}: waits for {line} ({duration_text(max(0, limit_ns - now))} left)"
            case ForTime(deadline_ns):
                yield f"{name}: waits {duration_text(max(0, deadline_ns - now))}"
            case ForAnswer():
                yield f"{name}: waits for a decision"
            case _:
                return

    # --- driving ------------------------------------------------------------------------------------------------

    def _drive(self) -> None:
        """Give the coroutine what it waited for, and take its next wish."""
        self.wait = None
        sends, value = self._next
        try:
            wish = self._coroutine.send(value) if sends else self._coroutine.throw(value)
        except StopIteration:
            self.ended = True
        except PhaseFault as fault:
            known = self.definition.knows(fault.kind)
            self.ended = fault if known else PhaseFault("error", f"{fault.kind} is not declared: {fault.text}")
        except _RAISED as error:
            self.ended = PhaseFault("error", _described(error))
        if isinstance(self.ended, PhaseFault):
            return
        if self.context.open_awaits:
            self._break(f"an 'await' is missing before {_name(self.context.open_awaits[0].wish)}")
        elif self.ended is None and not isinstance(wish, Wish):
            self._break(f"awaits something that is not of its context: {wish!r}")
        elif self.ended is None:
            self._perform(wish)

    def _break(self, text: str) -> None:
        self._abandon()
        self.ended = PhaseFault("error", f"{self.definition.name}: {text}")

    def _abandon(self) -> None:
        """Close the coroutine; a cleanup that waits or fails is told and passed over."""
        try:
            self._coroutine.close()
        except _RAISED as error:
            self._outbox.note("phase.stubborn", phase=self.definition.name, reason=_described(error))

    def _resume(self, value: Any) -> None:
        self.wait, self._next = None, (True, value)

    def _fail(self, kind: str, text: str) -> None:
        self.wait, self._next = None, (False, PhaseFault(kind, text))

    def _perform(self, wish: Wish) -> None:
        """Begin what the phase wishes."""
        now = self._outbox.now
        match wish:
            case SetSignal(signal, value, timeout_ns):
                if problem := unwritable(signal, value):
                    self._fail("refused", problem)
                else:
                    order = self._outbox.write(signal.id, value, timeout_ns)
                    self.wait = ForOrder(wish, order, 0, now + timeout_ns + ANSWER_GRACE_NS)
            case Invoke():
                self._invoke(wish)
            case Until(condition, limit_ns):
                self.wait = ForCondition(wish, Watch(condition), None if limit_ns is None else now + limit_ns)
            case Sleep(duration_ns):
                self.wait = ForTime(now + duration_ns)
            case RaiseFault(kind) if not self.definition.knows(kind):
                self._fail("error", f"{self.definition.name} declares no fault {kind!r}")
            case RaiseFault(key=key) | AskPerson(key=key):
                self.wait = ForAnswer(wish, key)
            case _:
                assert_never(wish)

    def _look(self) -> bool:
        """Whether what is waited for has come; prepares what the coroutine is given."""
        now = self._outbox.now
        match self.wait:
            case ForOrder(wish, deadline_ns=deadline_ns):
                if now >= deadline_ns:
                    self._fail("no_reply", f"{_name(wish)}: no answer from the driver")
            case ForCondition():
                self._look_at(self.wait)
            case ForProbe():
                self._judge(self.wait)
            case ForTime(deadline_ns):
                if now >= deadline_ns:
                    self._resume(None)
            case ForAnswer(wish, key) if key in self._progress.answers:
                self._decided(wish, key)
        return self.wait is None

    def _look_at(self, wait: ForCondition) -> None:
        now = self._outbox.now
        value = wait.watch.update(self._image, now)
        if not value:
            wait.true_ns = None
        if value and isinstance(wait.wish, Invoke):
            if wait.true_ns is None:  # else its signals, read again and again, would always be newer than some result
                wait.true_ns = max((self._image.seen_ns(name) for name in wait.watch.signals), default=0)
            self._collect(wait, wait.wish, wait.true_ns)
        elif value:
            self._resume(None)
        elif wait.deadline_ns is not None and now >= wait.deadline_ns:
            self._fail("timeout", f"{_name(wait.wish)}: {'; '.join(wait.watch.why(self._image, now))}")

    # --- commands -----------------------------------------------------------------------------------------------

    def _invoke(self, wish: Invoke) -> None:
        pulse = self._progress.pulses.get(wish.key) if wish.spec.command_class in _ONCE else None
        if pulse is None:
            self._send(wish, self._outbox.token())
        elif pulse.result is not None:
            self._resume(result_of(pulse.result))
        elif wish.spec.probe is not None:
            now = self._outbox.now
            probe = Probe(wish.spec, {**pulse.before, **_values(wish, pulse.token)}, since_ns=now)
            self.wait = ForProbe(wish, probe, now + PROBE_TIMEOUT_NS, pulse)
        else:
            self._ask_about(wish)

    def _judge(self, wait: ForProbe) -> None:
        """Act upon what the device tells of a pulse."""
        now, wish, token = self._outbox.now, wait.wish, wait.pulse.token
        match wait.probe.verdict(self._image, now):
            case Verdict.DONE:
                assert wait.probe.done is not None
                self.wait = ForCondition(wish, wait.probe.done, wait.deadline_ns, token, {}, probing=True)
                self._look_at(self.wait)
            case Verdict.RUNNING:
                self._confirmed(wish, token, {})
            case Verdict.UNSENT:
                self._send(wish, token)  # once more, under the same token
            case Verdict.DOUBT:
                self._ask_about(wish)
            case None if now >= wait.deadline_ns:
                self._fail("timeout", f"{_name(wish)}: it cannot be told whether it was done")

    def _ask_about(self, wish: Invoke) -> None:
        self.wait = ForAnswer(wish, doubt_of(wish.key))

    def _send(self, wish: Invoke, token: int) -> None:
        if wish.spec.command_class in _ONCE:
            intent = {"key": wish.key, "command": wish.spec.id, "token": token, "seen": self._seen(wish.spec)}
            if known := before(wish.spec, self._image):
                intent["before"] = known
            self._around.note("intent", intent)
        order = self._outbox.call(wish.spec, wish.arguments, wish.timeout_ns, token=token)
        self.wait = ForOrder(wish, order, token, self._outbox.now + wish.timeout_ns + ANSWER_GRACE_NS)

    def _seen(self, spec: CommandSpec) -> dict[str, Value]:
        """What the sensors around tell now: it is shown to a person if nobody knows how the pulse ended."""
        if spec.id not in self._witnesses:
            self._witnesses[spec.id] = witnesses(self._around.equipment, self.definition, spec)
        samples = [(name, self._image.read(name)) for name in self._witnesses[spec.id]]
        return {name: sample.value for name, sample in samples if sample.good and sample.value is not None}

    def _settle(self, wish: Invoke, token: int, done: Done) -> None:
        """What the answer says about a pulse: not executed, executed, or still unknown."""
        if done.outcome in (Outcome.REFUSED, Outcome.NOT_SENT):
            self._around.note("intent.void", {"key": wish.key, "token": token, "reason": done.reason})
        elif done.outcome is Outcome.CONFIRMED and wish.spec.until is None:
            self._finish(wish, token, done.result)

    def _confirmed(self, wish: Invoke, token: int, answered: Mapping[str, Value]) -> None:
        if wish.spec.until is None:
            self._resume(result_of(answered))
            return
        # A condition that names the token cannot be true of anything older; any other needs newer samples.
        since_ns = 0 if "token" in refs_of(wish.spec.until) else self._outbox.now
        watch = Watch(fill(wish.spec.until, _values(wish, token)), since_ns)
        self.wait = ForCondition(wish, watch, self._outbox.now + wish.timeout_ns, token, answered)

    def _collect(self, wait: ForCondition, wish: Invoke, since_ns: int) -> None:
        """Read the command's result signals, once each is as new as the end of the command."""
        values = dict(wait.answered or {})
        for name, signal in wish.spec.result.items():
            if name in values:
                continue
            sample = self._image.read(signal)
            if not sample.good or sample.value is None or self._image.seen_ns(signal) < since_ns:
                if wait.deadline_ns is not None and self._outbox.now >= wait.deadline_ns:
                    self._fail("timeout", f"{_name(wish)}: {signal} was not read in time")
                return
            values[name] = sample.value
        if wish.spec.command_class in _ONCE:
            self._finish(wish, wait.token, values)
        self._resume(result_of(values))

    def _finish(self, wish: Invoke, token: int, values: Mapping[str, Value]) -> None:
        self._around.note("done", {"key": wish.key, "command": wish.spec.id, "token": token, "result": dict(values)})

    def _decided(self, wish: RaiseFault | AskPerson | Invoke, key: str) -> None:
        if not isinstance(wish, Invoke):
            self._resume(self._progress.answers[key])
        elif self._progress.answers[key] == "redo":
            self._send(wish, self._outbox.token())
        else:
            read = {name: self._image.read(signal).value for name, signal in wish.spec.result.items()}
            values = {name: value for name, value in read.items() if value is not None}
            self._finish(wish, self._progress.pulses[wish.key].token, values)
            self._resume(result_of(values))


def send_safe(wish: SetSignal | Invoke, outbox: Outbox) -> int:
    """Send an order that leads to the safe side, in the stop lane; its number."""
    if isinstance(wish, SetSignal):
        return outbox.write(wish.signal.id, wish.value, wish.timeout_ns, CommandClass.STOP)
    return outbox.stop(wish.spec, wish.arguments)


def _values(wish: Invoke, token: int) -> dict[str, Value]:
    """What stands for ``$name`` in the conditions of a command."""
    return {**wish.spec.sent(wish.arguments), "token": token}


def unwritable(signal: Signal, value: Value) -> str | None:
    """Why `value` may not be written to `signal`, or None."""
    if not signal.writable:
        return f"{signal.id} cannot be written"
    problem = Parameter(signal.name, signal.type, signal.unit, signal.low, signal.high).problem(value)
    return problem and f"{signal.id}: {problem}"


def _name(wish: Wish) -> str:
    match wish:
        case SetSignal(signal, value):
            return f"{signal.id} = {value}"
        case Invoke(spec, arguments):
            return f"{spec.id}({', '.join(f'{name}={value}' for name, value in arguments.items())})"
        case Until():
            return "until"
        case Sleep():
            return "sleep"
        case RaiseFault(kind):
            return f"fault({kind!r})"
        case AskPerson():
            return "ask"
        case _:
            assert_never(wish)


def _described(error: BaseException) -> str:
    """What was raised, and the last place outside of the core that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((one for one in reversed(frames) if not one.filename.startswith(_CORE)), frames[-1])
    return f"{type(error).__name__}: {error} ({frame.filename.rpartition('/')[2]}:{frame.lineno})"
