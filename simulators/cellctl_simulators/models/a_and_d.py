"""A&D balance and weighing indicator in stream mode: a line with the weight, again and again, and no questions.

The standard format is header, comma, sign and digits, and a unit of three characters; the indicator has two headers.
"""

from collections.abc import Mapping
from random import Random
from typing import ClassVar

from cellctl.driver import Value
from cellctl_simulators.wire import Lines
from cellctl_simulators.world import Outputs

STREAM_NS = 200_000_000


class Balance:
    """The balance. Inputs: `weight` in its unit, and `stable`. Outputs: `weight`, `power`."""

    inputs: Mapping[str, Value] = {"weight": 0.0, "stable": True}
    capacity: ClassVar[float] = 3100.0

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\r\n")
        self._next_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Send the weight when it is time for it."""
        self.wire.take()  # nobody is listened to in stream mode
        weight = float(inputs["weight"])
        if now_ns >= self._next_ns:
            header = "OL" if weight > self.capacity else "ST" if inputs["stable"] else "US"
            self.wire.say(self.line(header, weight))
            self._next_ns = (now_ns // STREAM_NS + 1) * STREAM_NS
        return Outputs({"weight": weight, "power": 5.0}, self._next_ns)

    def line(self, header: str, weight: float) -> str:
        """What is sent."""
        return "OL,+9999999E+19" if header == "OL" else f"{header},{weight:+09.2f}  g"


class Indicator(Balance):
    """The indicator AD-4403, which shows gross weight."""

    capacity = 60.0

    def line(self, header: str, weight: float) -> str:
        """What is sent."""
        return "OL,GS,+9999999kg" if header == "OL" else f"{header},GS,{weight:+07.1f}kg"


MODELS = {"a-and-d.balance": Balance, "a-and-d.ad-4403": Indicator}
