"""A Zebra label printer that speaks ZPL: formats from ^XA to ^XZ are printed one after the other, ~HS tells its status.

Without paper or ribbon, with its head open or too hot it answers nothing at all, and prints nothing.
"""

import re
from collections import deque
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Lines
from cellctl_simulators.world import Outputs

LABEL_NS = 800_000_000
BUFFER_MAX = 100
UNHAPPY = {"paper": False, "ribbon": False, "head_open": True, "too_hot": True}

_FORMAT = re.compile(r"\^XA(.*?)\^XZ", re.DOTALL)
_TEXT = re.compile(r"\^FD(.*?)\^FS", re.DOTALL)
_COPIES = re.compile(r"\^PQ(\d+)")


class Printer:
    """The printer. Inputs: `paper`, `ribbon`, `head_open`, `too_hot`, `paused`.

    Outputs: `printed` (count), `label` (the text of the last one), `power`.
    """

    inputs: Mapping[str, Value] = {"paper": True, "ribbon": True, "head_open": False, "too_hot": False, "paused": False}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(start="\x02", end="\x03\r\n")
        self._formats: deque[tuple[str, int]] = deque()  # text and copies
        self._printing: tuple[str, int, int] | None = (
            None  # text, labels to come, end of the present one (0: not begun)
        )
        self._printed, self._label = 0, ""

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Print, and answer if it can."""
        able = all(inputs[name] != trouble for name, trouble in UNHAPPY.items())
        working = able and not inputs["paused"]
        for ask in self.wire.take():
            for found in _FORMAT.findall(ask.text):
                self._take(found)
            if "~HS" in ask.text and able:
                for line in self._status(inputs):
                    ask.reply(line)
        self._print(now_ns, working)
        busy = self._printing is not None
        outputs: dict[str, Value] = {
            "printed": self._printed,
            "label": self._label,
            "power": 60.0 if busy and working else 5.0,
        }
        return Outputs(outputs, self._printing[2] if self._printing and working else None)

    def _take(self, text: str) -> None:
        copies = _COPIES.search(text)
        if len(self._formats) < BUFFER_MAX:
            self._formats.append(("".join(_TEXT.findall(text)), int(copies[1]) if copies else 1))

    def _print(self, now_ns: int, working: bool) -> None:
        if self._printing is not None:
            text, to_come, end_ns = self._printing
            if not working or not end_ns:  # the label is begun anew when it can go on
                self._printing = (text, to_come, now_ns + LABEL_NS if working else 0)
            elif now_ns >= end_ns:
                self._printed, self._label = self._printed + 1, text
                self._printing = (text, to_come - 1, now_ns + LABEL_NS) if to_come > 1 else None
        if self._printing is None and self._formats and working:
            text, copies = self._formats.popleft()
            self._printing = (text, copies, now_ns + LABEL_NS)

    def _status(self, inputs: Mapping[str, Value]) -> list[str]:
        waiting = len(self._formats) + (self._printing is not None)
        remaining = self._printing[1] if self._printing else 0
        full = len(self._formats) == BUFFER_MAX
        return [
            f"030,0,{inputs['paused']:d},1245,{waiting:03d},{full:d},0,0,000,0,0,0",
            f"001,0,0,0,1,2,4,0,{remaining:08d},1,000",
            "1234,0",
        ]


MODELS = {"zebra.zpl": Printer}
