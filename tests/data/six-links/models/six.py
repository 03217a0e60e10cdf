"""Devices that count by a known law and tell the world of all that they were told to do, each time.

A counter that is `index` of device `number` shows, at the time t, (t // STEP_NS) * 64 + index * 8 + number: each value
says when it was true, and of what.
"""

import re
from functools import partial

from cellctl_simulators import Lines, Node, Nodes, Outputs, Registers, World
from cellctl_simulators.wire import BUSY, ModbusError

STEP_NS = 100_000_000
NAMESPACE = "urn:six:robot"


class SixRegisters(Registers):
    """`taken` is what was written, in its order, until somebody takes it; who is busy reads and writes nothing."""

    def __init__(self, number):
        super().__init__(writable=(20, 21, 30), functions=(3, 6, 16))
        self.holding.update(dict.fromkeys((0, 1, 10, 11, 20, 21, 30), 0) | {40: number})
        self.taken, self.busy = [], False

    def read(self, function, address, count):
        if self.busy:
            raise ModbusError(BUSY)
        return super().read(function, address, count)

    def write(self, function, address, values):
        if self.busy:
            raise ModbusError(BUSY)
        values = list(values)
        super().write(function, address, values)
        number = values[0] if address == 30 else values[0] << 16 | values[1] if len(values) == 2 else -1
        self.taken.append(("go" if address == 30 else "target", number))

    def show(self, count, again):
        for at, value in ((0, count), (10, again)):
            self.holding.update({at: value >> 16, at + 1: value & 0xFFFF})

    @property
    def target(self):
        return self.holding[20] << 16 | self.holding[21]


class SixLines(Lines):
    """The same in lines."""

    def __init__(self, number):
        super().__init__(end="\r\n")
        self.number, self.taken, self.busy, self.target = number, [], False, 0
        self.count = self.again = 0

    def show(self, count, again):
        self.count, self.again = count, again
        for ask in self.take():
            ask.reply(self.answer(ask.text))

    def answer(self, text):
        if self.busy:
            return "ERR 7 7"
        if text == "NAME?":
            return f"SCALE {self.number} SCALE {self.number}"
        if text in ("COUNT?", "AGAIN?", "TARGET?"):
            value = {"COUNT?": self.count, "AGAIN?": self.again, "TARGET?": self.target}[text]
            return f"{text[:-1]} {value} {value}"
        if (told := re.fullmatch(r"(TARGET|GO) (\d+) (\d+)", text)) is None or told[2] != told[3]:
            return "ERR 1 1"
        word, number = told[1], int(told[2])
        self.taken.append((word.lower(), number))
        if word == "GO":
            return f"WENT {number} {number}"
        self.target = number
        return "OK OK"


class SixNodes(Nodes):
    """The same as nodes."""

    def __init__(self, number):
        nodes = {name: Node("UInt32", 0) for name in ("Count", "Again")}
        super().__init__(
            NAMESPACE, {**nodes, "Target": Node("UInt32", 0, writable=True), "Token": Node("UInt16", 0, writable=True)}
        )
        self.taken, self.busy = [], False

    def write(self, name, value, type):
        super().write(name, value, type)
        self.taken.append(({"Target": "target", "Token": "go"}[name], value))

    def show(self, count, again):
        self["Count"], self["Again"] = count, again

    @property
    def target(self):
        return self["Target"]


class Six:
    """Input: `busy`. Outputs: `target`, and `taken`: how often it was told something, and what since the last time."""

    def __init__(self, wire, number, random):
        self.inputs = {"busy": False}
        self.wire, self._number = wire(number), number
        self._told, self._taken = 0, ""
        self._by_itself = wire is SixNodes

    def update(self, now_ns, inputs):
        wire, step = self.wire, now_ns // STEP_NS
        wire.busy = inputs["busy"]
        wire.show(*(step * 64 + index * 8 + self._number for index in (0, 1)))
        if wire.taken:
            self._told += len(wire.taken)
            self._taken = f"{self._told}:" + " ".join(f"{what}={number}" for what, number in wire.taken)
            wire.taken.clear()
        due_ns = (step + 1) * STEP_NS if self._by_itself else None
        return Outputs({"target": wire.target, "taken": self._taken}, due_ns)


class SixWorld(World):
    """`log`: when (ns) which device took what, or began to show another target."""

    def __init__(self, models, **more):
        super().__init__(models, **more)
        self.log = []

    def changed(self, name, value):
        device, _, output = name.partition(".")
        if output == "target":
            self.log.append((self.now_ns, device, "shows", value))
        for told in value.partition(":")[2].split() if output == "taken" else ():
            what, _, number = told.partition("=")
            self.log.append((self.now_ns, device, what, int(number)))


WIRES = {1: SixRegisters, 2: SixRegisters, 3: SixRegisters, 4: SixRegisters, 5: SixLines, 6: SixNodes}
MODELS = {f"six-{number}": partial(Six, wire, number) for number, wire in WIRES.items()}
WORLD = SixWorld
