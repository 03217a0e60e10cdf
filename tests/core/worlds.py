"""A random world: phases that fire pulses, and devices that keep count of what they really did.

A pulse is executed when it arrives at its device, at once or later, also if its answer is late, lost or unknown.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from cellctl import phase
from cellctl.core.messages import Call, CommandClass, Done, Input, Outcome, Samples, Write
from cellctl.core.signal import Quality, Sample, Value

from .bench import MS

WELDS = 3


@phase(station="s1", faults={"weak": ("retry", "skip", "scrap")})
async def weld(c):
    await c.plc.clamp.on()
    async with c.safe(c.laser.off):
        await c.laser.on()
        for _ in c.steps(range(WELDS)):
            await c.robot.goto("a")
            while True:
                shot = await c.laser.fire(time=50)
                c.record("peak", shot.peak)
                if shot.peak >= 1000 or await c.fault("weak") != "retry":
                    break


@phase(station="s1")
async def feed(c):
    await c.robot.feed()
    await c.until("plc.infeed", timeout="2 s")


@phase(station="s2", uses=["plc"])
async def take(c):
    await c.plc.clamp.off()


@phase(station="s2", uses=["robot"], always=True)
async def punch(c):
    await c.robot.punch()
    await c.sleep("30 ms")


@phase()
async def home(c):
    await c.robot.goto("b")


#: What may become of a pulse: whether it is executed, and how it is answered (None: never).
FATES = (
    (True, Outcome.CONFIRMED),
    (False, Outcome.REFUSED),
    (True, Outcome.UNKNOWN),
    (False, Outcome.UNKNOWN),
    (True, None),
    (False, None),
)


@dataclass
class World:
    """The devices: what they were told, what they did, and when they answer."""

    random: Random
    values: dict[str, Value]
    well: bool = False  # every pulse is executed at once and answered
    connected: set[str] = field(default_factory=set)
    fired: Counter[tuple[str, int]] = field(default_factory=Counter)  # (command, token) -> executions
    under_way: dict[int, tuple[int, Write | Call, bool, Outcome | None]] = field(default_factory=dict)
    due: list[Done] = field(default_factory=list)
    orphans: int = 0

    def take(self, order: Write | Call, now: int) -> None:
        """An order: executed or not, at once or later, and answered or never."""
        if order.device not in self.connected:
            self.due.append(Done(order.id, Outcome.NOT_SENT, reason="no connection"))
            return
        if self.well or isinstance(order, Write) or order.command_class is not CommandClass.PULSE:
            executed, outcome, lasts = True, Outcome.CONFIRMED, 10
        else:
            executed, outcome = self.random.choices(FATES, (60, 5, 15, 10, 5, 5))[0]
            lasts = self.random.choice((10, 10, 300, 1500))
        self.under_way[order.id] = (now + lasts * MS, order, executed, outcome)

    def arrive(self, now: int) -> None:
        """What was under way until now is executed and answered."""
        for number, (at, order, executed, outcome) in list(self.under_way.items()):
            if at > now:
                continue
            del self.under_way[number]
            result = self.execute(order) if executed else {}
            if outcome is not None:
                self.due.append(Done(number, outcome, result if outcome is Outcome.CONFIRMED else {}))

    def execute(self, order: Write | Call) -> Mapping[str, Value]:
        if isinstance(order, Write):
            self.values[order.signal] = order.value
            return {"read_back": order.value}
        if order.command_class is CommandClass.PULSE:
            self.fired[order.name, order.token] += 1
            if order.name != "punch":  # what has no probe tells nothing
                self.values["laser.last"] = order.token
            self.values["laser.peak"] = 500.0 if self.random.random() < 0.1 else 1400.0
        return {"peak": self.values["laser.peak"]} if order.name == "fire" else {}

    def lose(self, device: str, now: int) -> None:
        """A connection is lost: what was under way is executed now or never, and answered as unknown."""
        self.connected.discard(device)
        for number, (_, order, executed, _) in list(self.under_way.items()):
            if order.device == device:
                self.under_way[number] = (now, order, executed, Outcome.UNKNOWN)
        self.arrive(now)

    def abandon(self) -> None:
        """Control is gone: what was under way is executed all the same, and nobody hears the answers."""
        for number, (at, order, executed, _) in list(self.under_way.items()):
            del self.under_way[number]
            self.orphans += 1
            self.under_way[-self.orphans] = at, order, executed, None
        self.due.clear()

    def happened(self, now: int) -> list[Input]:
        """The answers that are there, and a reading of every signal."""
        self.arrive(now)
        due, self.due = self.due, []
        samples = tuple(
            Sample(name, value, Quality.GOOD, now, now)
            for name, value in self.values.items()
            if name.partition(".")[0] in self.connected
        )
        return [*due, Samples(samples)]
