"""A Mettler Toledo balance, as MT-SICS describes it: one command a line, one answer, which begins with the command.

`S`, `Z` and `T` wait until the weight has come to rest; a balance that does not come to rest gives up by itself.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Outputs

CAPACITY_G = 220.0
#: What is beyond the capacity, or below the empty pan, is told as over- or underload.
MARGIN_G = 5.0
WAIT_NS = 8_000_000_000  # the time-out of the balance for a weight that does not come to rest
SERIAL = "B123456789"


class MtSics:
    """The balance. Inputs: `weight` on the pan in g, and `stable`. Outputs: `weight` as it is shown (net), `power`."""

    inputs: Mapping[str, Value] = {"weight": 0.0, "stable": True}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\r\n")
        self._zero_g = self._tare_g = 0.0
        self._waiting: list[tuple[Ask, int]] = []  # asks for a weight at rest, and when they are given up

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Answer what was asked, and what has waited for rest."""
        gross_g, stable = float(inputs["weight"]), bool(inputs["stable"])
        for ask in self.wire.take():
            if ask.text in ("S", "Z", "T"):
                self._waiting.append((ask, now_ns + WAIT_NS))
            else:
                ask.reply(self._at_once(ask.text, gross_g, stable))
        waiting, self._waiting = self._waiting, []
        for ask, end_ns in waiting:
            if stable:
                ask.reply(self._at_rest(ask.text, gross_g))
            elif now_ns >= end_ns:
                ask.reply(f"{ask.text} I")
            else:
                self._waiting.append((ask, end_ns))
        call_at_ns = min((end_ns for _, end_ns in self._waiting), default=None)
        return Outputs({"weight": round(self._net(gross_g), 4), "power": 8.0}, call_at_ns)

    def _at_once(self, text: str, gross_g: float, stable: bool) -> str:
        if text == "SI":
            return self._weight("S", "S" if stable else "D", gross_g)
        if text == "@":
            self._tare_g, self._zero_g = 0.0, 0.0
            return f'I4 A "{SERIAL}"'
        return TOLD.get(text, "ES")

    def _at_rest(self, text: str, gross_g: float) -> str:
        if text == "S":
            return self._weight("S", "S", gross_g)
        if text == "Z":
            self._zero_g, self._tare_g = gross_g, 0.0
            return "Z A"
        self._tare_g = gross_g - self._zero_g
        return f"T S {self._tare_g:>11.4f} g"

    def _net(self, gross_g: float) -> float:
        return gross_g - self._zero_g - self._tare_g

    def _weight(self, word: str, state: str, gross_g: float) -> str:
        if not -MARGIN_G <= gross_g <= CAPACITY_G + MARGIN_G:
            return f"{word} {'+' if gross_g > 0 else '-'}"
        return f"{word} {state} {self._net(gross_g):>11.4f} g"


TOLD: Mapping[str, str] = {
    "I1": 'I1 A "01" "2.30" "2.22" "" ""',
    "I2": f'I2 A "XS204 {CAPACITY_G:.4f} g"',
    "I3": 'I3 A "5.00"',
    "I4": f'I4 A "{SERIAL}"',
}

MODELS = {"mettler-toledo.mt-sics": MtSics}
