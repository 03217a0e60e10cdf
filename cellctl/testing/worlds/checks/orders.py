"""What reaches the drivers: each order once, in time, with its own token, its intent on disk first."""

from collections import Counter
from collections.abc import Sequence

from cellctl.core.condition import signals_of
from cellctl.core.messages import Alive, Call, CommandClass, Done, Effect, Input, Order, Samples, Write
from cellctl.runtime.ledger import Row
from cellctl.testing.bench import Bench
from cellctl.testing.worlds.checks import Check, target
from cellctl.testing.worlds.plan import Plan

#: Commits that take longer hold orders up.
SLOW_DISK_S = 0.1

#: What must not be executed twice.
ONCE = frozenset({CommandClass.PULSE, CommandClass.BLOCK})

#: A driver and its link answer an order at the latest so long after its deadline, ns.
LATE_NS = 4_000_000_000


class Orders(Check):
    """A driver is given an order once, and none that was never decided; the cell hears of each exactly once."""

    def begin(self) -> None:
        """The numbers of orders begin anew."""
        self._decided: dict[int, Order] = {}
        self._sent: set[int] = set()
        self._heard: Counter[int] = Counter()
        self._missed: set[int] = set()
        self._well_s = 0.0  # since then the disk is

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """What was decided, and what became of it."""
        for each in inputs:
            if isinstance(each, Done):
                self._heard[each.id] += 1
                if each.id not in self._decided:
                    self.find(f"order {each.id} was never given, and is answered")
                elif self._heard[each.id] > 1:
                    self.find(f"{_told(self._decided[each.id])} was answered {self._heard[each.id]} times")
        for effect in effects:
            if isinstance(effect, Write | Call):
                self._decided[effect.id] = effect

    def sent(self, now: int, order: Order) -> None:
        """It reaches a driver."""
        if order.id in self._sent:
            self.find(f"{_told(order)} was given to a driver twice")
        if order.id not in self._decided:
            self.find(f"{_told(order)} was given to a driver, but never decided")
        self._sent.add(order.id)

    async def look(self, bench: Bench) -> None:
        """Look for orders that nobody speaks of any more. While the disk is ill they wait for it."""
        now_s = bench.time_s()
        if bench.disk.error or bench.disk.commit_s > SLOW_DISK_S:
            self._well_s = now_s
        if not bench.alive or now_s - self._well_s < LATE_NS / 1e9:
            return
        late_ns = bench.control.cell.outbox.now - LATE_NS
        for id, order in self._decided.items():
            if not self._heard[id] and order.deadline_ns < late_ns and id not in self._missed:
                self._missed.add(id)
                self.find(f"nobody has told what became of {_told(order)}")


class Tokens(Check):
    """A token names one execution: no other order ever has it, not after a restart either. (In the stop lane there are
    no executions: what is to be off may be told so as often as one likes.)"""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._used: dict[tuple[str, int], tuple[int, object]] = {}
        self._places: dict[int, tuple[object, ...]] = {}
        self._life = 0

    def begin(self) -> None:
        """Another life."""
        self._life += 1

    def kept(self, row: Row) -> None:
        """What a one-shot command is for, is on disk: in another life too a token is for this and nothing else."""
        if row.entry.kind == "intent":
            data = row.entry.data
            place = tuple(data.get(name) for name in ("phase", "part", "step", "key"))
            if self._places.setdefault(token := int(str(data["token"])), place) != place:
                self.find(f"token {token} is for two things: {self._places[token]} and {place}")

    def sent(self, now: int, order: Order) -> None:
        """It reaches a driver."""
        if isinstance(order, Call) and order.token and order.command_class is not CommandClass.STOP:
            what = (0 if order.command_class in ONCE else self._life, (order.name, dict(order.arguments)))
            before = self._used.setdefault((order.device, order.token), what)
            if before != what:
                self.find(f"token {order.token} names two things (life, order): {before} and {what}")


class Intents(Check):
    """The intent of a one-shot command is on disk before it leaves, and what is done is never begun again."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._intended: set[int] = set()
        self._done: set[tuple[object, ...]] = set()

    def kept(self, row: Row) -> None:
        """An intent is on disk, or its end."""
        data = row.entry.data
        key = tuple(data.get(name) for name in ("part", "step", "key"))
        if key[0] is None:
            key = (data.get("token"),)  # the phases of a state do what they do each time anew
        if row.entry.kind == "intent":
            self._intended.add(int(str(data["token"])))
            if key in self._done:
                self.find(f"{data['command']} was done, and is begun again: {key}")
        elif row.entry.kind == "done":
            self._done.add(key)

    def sent(self, now: int, order: Order) -> None:
        """It reaches a driver."""
        match order:
            case Call(command_class=CommandClass.PULSE, token=token) if token not in self._intended:
                self.find(f"{_told(order)} left before its intent was on disk")


class Evidence(Check):
    """What may have been executed is ordered again only after the device has told, since, how it stands."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._turn = 0
        self._told: dict[str, int] = {}  # signal or device -> the last turn that heard of it
        self._orders: dict[int, tuple[str, int]] = {}  # order -> device and token
        self._ended: dict[tuple[str, int], int] = {}  # device and token -> the turn in which its order was answered

    def begin(self) -> None:
        """Another life: nobody hears of the orders of the one before, and what was told then is no evidence now."""
        self._turn += 1
        self._ended = dict.fromkeys([*self._ended, *self._orders.values()], self._turn)
        self._orders.clear()

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Count the turns, for clocks may be set."""
        self._turn += 1
        for each in inputs:
            match each:
                case Done(id):
                    if (execution := self._orders.pop(id, None)) is not None:
                        self._ended[execution] = self._turn
                case Samples(samples):
                    self._told.update({sample.signal: self._turn for sample in samples if sample.good})
                case Alive(device, _, signals):
                    self._told.update(dict.fromkeys([device] if signals is None else signals, self._turn))
                case _:
                    pass
        for effect in effects:
            if isinstance(effect, Call) and effect.command_class in ONCE:
                self._ordered(effect)

    def _ordered(self, order: Call) -> None:
        assert self.bench is not None
        execution = (order.device, order.token)
        self._orders[order.id] = execution
        if (ended := self._ended.get(execution)) is None:
            return
        probe = self.bench.setup.model.equipment.commands[f"{order.device}.{order.name}"].probe
        signals = () if probe is None else tuple(signals_of(probe))
        if not signals or any(
            max(self._told.get(name, 0), self._told.get(order.device, 0)) < ended for name in signals
        ):
            self.find(f"{_told(order)} is ordered again, and nobody knows whether it was executed")


class Deadlines(Check):
    """No order reaches a driver after its deadline, and none that was decided before a stop comes after it."""

    def begin(self) -> None:
        """The numbers of orders begin anew."""
        self._stops: dict[str, int] = {}

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        """Keep the last stop of each device."""
        for effect in effects:
            if isinstance(effect, Write | Call) and effect.command_class is CommandClass.STOP:
                self._stops[effect.device] = effect.id

    def sent(self, now: int, order: Order) -> None:
        """It reaches a driver."""
        if order.deadline_ns <= now:
            self.find(f"{_told(order)} was sent {(now - order.deadline_ns) / 1e9:.3f} s after its deadline")
        if order.command_class is not CommandClass.STOP and order.id < self._stops.get(order.device, 0):
            self.find(f"{_told(order)} was sent although a stop was decided after it")


def _told(order: Order) -> str:
    return f"order {order.id} ({target(order)})"
