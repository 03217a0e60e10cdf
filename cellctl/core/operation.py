"""The cell's state machine at work: what each state does, and when an acting state is complete.

The rule kept here: Stop and Abort always come to their end, within a bound, whatever devices and phases do.
"""

from cellctl.core.execution import PhaseRun
from cellctl.core.fault import Cause
from cellctl.core.messages import CommandClass
from cellctl.core.packml import COMMANDS, STATE_COMPLETE, Command, Mode, PackML, State
from cellctl.core.production import Production
from cellctl.core.routine import Routine
from cellctl.core.site import Site

S = State

#: How long the outputs may take to tell that they are safe before the state goes on without them.
SAFE_TIMEOUT_NS = 2_000_000_000
#: How long the phases of Stopping and Aborting may take.
STOPPING_TIMEOUT_NS = 15_000_000_000

#: On the way there the cell is to be made safe at once.
_AT_ONCE = frozenset({S.STOPPING, S.ABORTING})
#: These end only when the safe outputs have answered.
_MADE_SAFE = _AT_ONCE | {S.HOLDING}
_HOLDING = frozenset({S.HOLDING, S.HELD})
#: If a hold is refused here it will not be possible later either, so that it becomes a stop.
_NEVER_HELD = frozenset({S.EXECUTE, S.COMPLETING})
#: A fault in the phases of these is a reason to stop; in the others it is told and passed over.
_GOING = frozenset({S.RESETTING, S.STARTING, S.UNHOLDING, S.UNSUSPENDING})


class Operation:
    """PackML with the work of each state. `causes` tells, first one first, why the cell is not in Execute."""

    def __init__(self, site: Site, production: Production, state: State) -> None:
        modes, mode = site.equipment.modes, site.memory.mode
        self.packml = PackML(state, modes, mode if mode in modes else Mode.PRODUCTION)
        self.state = state
        self.causes: list[Cause] = []
        self.since_ns = 0
        self.suspended_by_itself = False
        self._site = site
        self._production = production
        self._routine: Routine | None = None
        self._ordered_ns: int | None = None  # when the safe outputs were ordered in the present state
        self._safe = False

    @property
    def routine(self) -> Routine | None:
        """The phases that the present state runs."""
        return self._routine

    @property
    def wake_at(self) -> int | None:
        """When an acting state may have to go on without an answer."""
        if self._ordered_ns is None or self.state not in _MADE_SAFE:
            return None
        if not self._safe:
            return self._ordered_ns + SAFE_TIMEOUT_NS
        return None if self._routine is None else self._ordered_ns + STOPPING_TIMEOUT_NS

    def fire(self, command: Command, cause: Cause | None = None, by: str = "") -> str | None:
        """Perform a PackML command; None, or why it was refused. `cause` None: a person (`by`) wanted it."""
        before = self.state
        if reason := self.packml.fire(command):
            return reason
        self.suspended_by_itself = command is Command.SUSPEND and cause is not None
        if cause is not None and (cause.kind, cause.id) not in {(known.kind, known.id) for known in self.causes}:
            self.causes.append(cause)
        elif cause is None and command in (Command.RESET, Command.CLEAR, Command.UNHOLD, Command.UNSUSPEND):
            self.causes.clear()
        self._site.outbox.note(
            "command", command=command.title, by=by, cause="" if cause is None else cause.id, state=before.title
        )
        self._entered()
        passed = COMMANDS[command][1]
        if passed is not self.state and passed in _MADE_SAFE:  # the mode has no such state: safe all the same
            self.make_safe()
        return None

    def force(self, command: Command, cause: Cause) -> bool:
        """Give a command for a cause; where the state or the mode cannot be held, stop. True if the state changed."""
        if command is Command.HOLD and self.packml.refusal(command):
            command = Command.STOP
        return self.fire(command, cause) is None

    def change_mode(self, mode: Mode, by: str) -> str | None:
        """Change the unit mode; None, or why it was refused."""
        reason = self.packml.change_mode(mode)
        if reason is None:
            self._site.outbox.note("mode", mode=mode.title, by=by)
        return reason

    def work(self) -> bool:
        """Do the present state's work; True if the state is another one now."""
        return self._obey() or self._do() or self._obey()

    def _do(self) -> bool:
        state = self.state
        match state:
            case S.EXECUTE:
                return self._execute()
            case S.SUSPENDING:
                self._production.walk(begin=False, enter=False)
                ready = self._production.idle
            case S.HOLDING:
                self._production.wind_down()
                ready = self._production.idle and self._outputs_safe()
            case S.COMPLETING:
                self._production.walk(begin=False)
                ready = not self._production.memory.parts
            case S.STOPPING | S.ABORTING:
                ready = self._outputs_safe()
            case _:
                ready = state in STATE_COMPLETE
        if ready and self._routine_done():
            self.packml.complete_state(state)
            self._entered()
        return self.state is not state

    def _obey(self) -> bool:
        """Do what a fault in production demands, as soon as the state allows it; True if the state is another one."""
        recovery = self._production.recovery
        if recovery.demand is None:
            return False
        command, cause = recovery.demand
        if command is Command.HOLD and self.state in _HOLDING:
            recovery.demand = None
            self.causes.append(cause)
            return False
        if self.packml.refusal(command) and self.state not in _NEVER_HELD:
            return False
        recovery.demand = None
        return self.force(command, cause)

    @property
    def _producing(self) -> bool:
        return self.packml.mode is Mode.PRODUCTION

    def _execute(self) -> bool:
        self.causes.clear()
        if not self._producing:
            return False
        self._production.walk(begin=True)
        if not self._production.worked_off or self._production.recovery.demand is not None:
            return False
        return self.fire(Command.COMPLETE, Cause("job", "done", "The jobs are done")) is None

    def _entered(self) -> None:
        """The state is another one: note it, and begin its work."""
        state = self.state = self.packml.state
        self.since_ns = self._site.outbox.now
        self._ordered_ns, self._safe = None, False
        self._site.outbox.note("state", state=state.title, number=int(state))
        if self._routine is not None:
            self._routine.close()
        if state in _AT_ONCE:
            self.make_safe()
        phases = self._site.equipment.states.get(state, ())
        self._routine = Routine(self._site, [(name, {}) for name in phases]) if phases else None

    def _routine_done(self) -> bool:
        """Whether the state's phases have ended; a fault in them stops a cell that was about to go."""
        if self._routine is None:
            return True
        self._routine.advance()
        late = self._ordered_ns is not None and self._site.outbox.now >= self._ordered_ns + STOPPING_TIMEOUT_NS
        fault = self._routine.fault
        if fault is None and not late:
            return self._routine.done
        text = "its phases took too long" if fault is None else fault.text
        cause = Cause("fault", f"state/{self.state.title}", f"{self.state.title}: {text}")
        self._site.outbox.note("fault", state=self.state.title, text=text)
        self._routine.close()
        self._routine = None
        if self.state in _GOING:
            self.fire(Command.STOP, cause)
            return False
        self.causes.append(cause)
        return True

    def make_safe(self) -> None:
        """Close every phase and force the outputs, now."""
        self._production.close()
        self._production.recovery.demand = None
        self._send_safe()

    def _outputs_safe(self) -> bool:
        """Whether the outputs are safe, or have had their time to become so."""
        ordered_ns = self._send_safe() if self._ordered_ns is None else self._ordered_ns
        stops, now = self._site.outbox.stops, self._site.outbox.now
        if not self._safe and stops and now >= ordered_ns + SAFE_TIMEOUT_NS:
            self._site.outbox.note("safe.unconfirmed", orders=len(stops))
            self._safe = True  # it does not go on waiting; what is owed is sent again
        self._safe = self._safe or not stops
        return self._safe

    def _send_safe(self) -> int:
        """Force every safe output, in the stop lane; the time of it."""
        equipment, outbox = self._site.equipment, self._site.outbox
        self._ordered_ns = outbox.now
        for signal in equipment.signals.values():
            if signal.safe is not None:
                outbox.write(signal.id, signal.safe, SAFE_TIMEOUT_NS, CommandClass.STOP)
        for spec in equipment.commands.values():
            if spec.safe:
                outbox.stop(spec, {})
        return outbox.now

    @property
    def runs(self) -> tuple[PhaseRun, ...]:
        """The phase that the present state runs, if any."""
        return () if self._routine is None else self._routine.runs
