"""A Cognex DataMan code reader that is set to extended responses: it confirms each command, and sends what it read.

A command stands after its header ``||checksum:id>``; the answer ``||checksum:id[status]`` repeats the number.
"""

import re
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Lines
from cellctl_simulators.world import Outputs

DECODE_NS = 80_000_000
OK, UNKNOWN_COMMAND, WRONG_STATE = 0, 101, 104

_BLOCK = re.compile(r"\|\|(?:(?P<sum>[01]):(?P<id>\d+))?>(?P<command>.*)")


class DataMan:
    """The reader. Inputs: `code` in front of it ("": none). Outputs: `reading`, `reads` (count), `power`."""

    inputs: Mapping[str, Value] = {"code": ""}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\r\n")
        self._end_ns: int | None = None
        self._reads = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Confirm commands, and send what was read."""
        if self._end_ns is not None and now_ns >= self._end_ns:
            self._end_ns = None
            if inputs["code"]:
                self._reads += 1
                self.wire.say(str(inputs["code"]))
        for ask in self.wire.take():
            if block := _BLOCK.fullmatch(ask.text):
                status = self._status(block["command"].strip().upper(), now_ns)
                ask.reply(f"||{block['sum'] or 0}:{block['id'] or 0}[{status}]")
        reading = self._end_ns is not None
        return Outputs({"reading": reading, "reads": self._reads, "power": 4.0 if reading else 2.5}, self._end_ns)

    def _status(self, command: str, now_ns: int) -> int:
        if command == "TRIGGER OFF":
            self._end_ns = None
            return OK
        if command != "TRIGGER ON":
            return UNKNOWN_COMMAND
        if self._end_ns is not None:
            return WRONG_STATE
        self._end_ns = now_ns + DECODE_NS
        return OK


MODELS = {"cognex.dataman": DataMan}
