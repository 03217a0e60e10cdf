"""The token block three times: the simulated device, the Structured Text and the URScript, behind the twelve words.

The rule kept here: all are told the same, in the same order; time goes by in the cycles of a PLC, of 10 ms.
"""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cellctl_simulators.models.cellctl import (
    DONE_TOKEN,
    ECHO,
    EPOCH,
    FIRST,
    HEARTBEAT,
    RESULT,
    TOKEN,
    ModbusTokenDevice,
)
from cellctl_simulators.token_block import DONE, STOPPED, Frame
from tests.tokens.structured_text import Run, units

TEXTS = Path(__file__).parents[2] / "deploy" / "token-block"
CYCLE_MS = 10


class Block(Protocol):
    """A block: `words` are its map from 128 on, `started` the tokens whose work it began, in their order."""

    words: dict[int, int]
    started: list[int]

    def cycle(self) -> None:
        """Let one cycle go by."""

    def power_cycle(self, *, keeps: bool) -> None:
        """Switch it off and on."""


class Model:
    """The simulated device."""

    def __init__(self) -> None:
        self._now_ns, self._due_ns = 0, None
        self._device = ModbusTokenDevice()
        self._update()

    @property
    def words(self) -> dict[int, int]:
        return self._device.wire.holding

    @property
    def started(self) -> list[int]:
        return [token for token, count in self._device.retained.executed.items() for _ in range(count)]

    def cycle(self) -> None:
        self._now_ns += CYCLE_MS * 1_000_000
        self._update()

    def power_cycle(self, *, keeps: bool) -> None:
        retained = self._device.retained
        self._device = ModbusTokenDevice()
        self._device.retained = retained if keeps else retained.forgotten()
        self._update()

    def _update(self) -> None:
        self._device.update(self._now_ns, {"retains": True, "stuck": False})


class _Application:
    """What does the work: it takes PARAM ms, and stops when the block trips."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.result = 0  # of the last work, until there is another
        self._left_ms: int | None = None

    def begin(self, token: int, param: int) -> None:
        self.started.append(token)
        self._left_ms, self.result = param, 0

    def ended(self, tripped: bool) -> int:
        """How the work ended in this cycle; 0: it did not."""
        if self._left_ms is None:
            return 0
        self._left_ms -= CYCLE_MS
        if self._left_ms > 0 and not tripped:
            return 0
        self.result = STOPPED if self._left_ms > 0 else DONE
        self._left_ms = None
        return self.result

    def forget(self) -> None:
        self._left_ms, self.result = None, 0


class StructuredText:
    """The function block of `cellctl_token.st`, interpreted."""

    def __init__(self) -> None:
        self._program = units((TEXTS / "cellctl_token.st").read_text("utf-8"))
        self._unit = self._program["CellctlToken"]
        self._values: dict[str, Any] = dict(self._unit.first)
        self.words = dict.fromkeys(range(FIRST, RESULT + 1), 0)
        self._application = _Application()
        self.cycle()

    @property
    def started(self) -> list[int]:
        return self._application.started

    def cycle(self) -> None:
        words, values = self.words, self._values
        names = ("Heartbeat", "Epoch", "Cmd", "Param", "Crc", "Token")
        values |= {name: words[place] for place, name in enumerate(names, HEARTBEAT)}
        self._application.ended(values["CommTrip"])
        result = self._application.result
        values |= {"CycleMs": CYCLE_MS, "WorkDone": result > 0, "WorkResult": result}
        Run(self._program, self._unit, values)
        words[TOKEN] = values["Token"]
        told = ("HeartbeatEcho", "SeenEpoch", "State", "SeenToken", "DoneToken", "Result")
        words |= {place: values[name] for place, name in enumerate(told, ECHO)}
        if values["WorkStart"]:
            self._application.begin(values["SeenToken"], values["WorkParam"])

    def power_cycle(self, *, keeps: bool) -> None:
        kept = {name: self._values[name] for name in self._unit.retained} if keeps else {}
        self._values = {**self._unit.first, **kept}
        self._application.forget()
        self.cycle()


class UrScript:
    """The program of `cellctl_token.script`, interpreted. Its memory are the registers of the robot."""

    def __init__(self) -> None:
        self.words = dict.fromkeys(range(FIRST, RESULT + 1), 0)
        self._application = _Application()
        self._start()

    @property
    def started(self) -> list[int]:
        return self._application.started

    def _start(self) -> None:
        """The program starts."""
        self._names = urscript(
            (TEXTS / "cellctl_token.script").read_text("utf-8"),
            {"read_port_register": lambda place: self.words[place], "write_port_register": self._write},
        )
        self._names["cellctl_begin"]()
        self.cycle()

    def _write(self, place: int, value: int) -> None:
        assert 0 <= value <= 65_535, f"register {place} cannot hold {value}"
        assert isinstance(value, int)
        self.words[place] = value

    def cycle(self) -> None:
        names = self._names
        if ended := self._application.ended(names["cellctl_trip"]):
            names["cellctl_finish"](ended)
        names["cellctl_cycle"](CYCLE_MS)
        if names["cellctl_start"]:
            names["cellctl_start"] = False
            self._application.begin(self.words[DONE_TOKEN - 1], names["cellctl_param"])

    def power_cycle(self, *, keeps: bool) -> None:
        if not keeps:  # the controller reboots; else only the program is stopped and started
            self.words |= dict.fromkeys(self.words, 0)
        self._application.forget()
        self._start()


def urscript(text: str, library: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    """The names of a URScript text of which each line means the same in Python, but for how blocks end."""
    lines, depth, globals_ = [], 0, re.findall(r"^global (\w+)", text, flags=re.MULTILINE)
    for raw in text.splitlines():
        line = raw.split("#")[0].strip()
        if line == "end":
            depth -= 1
            continue
        if not line:
            continue
        outdent = line.startswith(("elif ", "else:"))
        python = re.sub(r"^(local|global) ", "", re.sub(r"^thread ", "def ", line))
        lines.append("  " * (depth - outdent) + python)
        depth += python.endswith(":") and not outdent
        if python.startswith("def "):
            lines.append("  " * depth + f"global {', '.join(globals_)}")
    assert depth == 0, "an `end` is missing, or one too many"
    names: dict[str, Any] = {"floor": math.floor, "sleep": lambda seconds: None, **library}
    exec("\n".join(lines), names)
    return names


BLOCKS: Mapping[str, Callable[[], Block]] = {"model": Model, "structured text": StructuredText, "urscript": UrScript}


class Bench:
    """A block and who writes to it: signs of life every 250 ms while `alive`."""

    def __init__(self, block: Block) -> None:
        self.block, self.alive, self._since_ms = block, True, 0

    def lasts(self, ms: int) -> None:
        """Let time go by."""
        for _ in range(ms // CYCLE_MS):
            self._since_ms += CYCLE_MS
            if self.alive and self._since_ms >= 250:
                self.beat()
            self.block.cycle()

    def beat(self) -> None:
        """A sign of life."""
        self._since_ms = 0
        self.block.words[HEARTBEAT] = self.block.words[HEARTBEAT] % 65_535 + 1

    def send(self, frame: Frame) -> None:
        """Write a frame, and let it be taken."""
        words = (frame.epoch, frame.cmd, frame.param, frame.crc, frame.token)
        self.block.words.update(enumerate(words, EPOCH))
        self.lasts(CYCLE_MS)

    @property
    def told(self) -> tuple[int, int, int, int, int]:
        """SEEN_EPOCH, STATE, SEEN_TOKEN, DONE_TOKEN, RESULT."""
        words = self.block.words
        return words[135], words[136], words[137], words[138], words[139]
