"""A Keyence code reader of the SR series: LON begins to read and has no answer but the code, LOFF ends it.

Other commands are answered with ``OK,COMMAND`` or ``ER,COMMAND,number``; lines end with CR, and nothing else.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Outputs

DECODE_NS = 60_000_000


class Sr:
    """The reader. Inputs: `code` in front of it ("": none). Outputs: `reading`, `reads` (count), `power`."""

    inputs: Mapping[str, Value] = {"code": ""}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\r", takes="\r")
        self._since_ns: int | None = None
        self._locked = False
        self._reads = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Read, and answer commands."""
        for ask in self.wire.take():
            self._command(ask, now_ns)
        call_at_ns = None
        if self._since_ns is not None and inputs["code"]:
            call_at_ns = self._since_ns + DECODE_NS
            if now_ns >= call_at_ns:
                self._tell(str(inputs["code"]))
                call_at_ns = None
        reading = self._since_ns is not None
        outputs = {"reading": reading, "reads": self._reads, "power": 6.0 if reading else 3.0}
        return Outputs(outputs, call_at_ns)

    def _tell(self, code: str) -> None:
        self._since_ns, self._reads = None, self._reads + 1
        self.wire.say(code)

    def _command(self, ask: Ask, now_ns: int) -> None:
        word = ask.text.partition(",")[0]
        match word:
            case "LON":
                if self._since_ns is None and not self._locked:
                    self._since_ns = now_ns
            case "LOFF":
                self._since_ns = None
            case "LOCK" | "UNLOCK":
                self._locked = word == "LOCK"
                ask.reply(f"OK,{word}")
            case "RESET":
                self._since_ns, self._locked = None, False
                ask.reply("OK,RESET")
            case "KEYENCE":
                ask.reply("OK,KEYENCE,SR-2000,1.000")
            case "CMDSTAT":
                ask.reply("OK,CMDSTAT,none")
            case "ERRSTAT":
                ask.reply("OK,ERRSTAT,none")
            case _:
                ask.reply(f"ER,{word},00")


MODELS = {"keyence.sr": Sr}
