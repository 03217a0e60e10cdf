"""Eurotherm 3216, a temperature controller, as the manuals of the series 3200 list its parameters; it heats a furnace.

A parameter has one number and two places: at its number as an integer, scaled by the decimals of the display, and at
0x8000 + 2 * number in full, as a float with the high word first. The setpoints 2, 24 and 25 live in an EEPROM that is
good for 100 000 writes; 26, the remote one, is in RAM, and counts while 276 is 1.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.heating import Furnace
from cellctl_simulators.wire import Registers, float32, float_of, word
from cellctl_simulators.world import Outputs

PV, TARGET, MANUAL, OUTPUT, WORKING, LOW, HIGH = 1, 2, 3, 4, 5, 11, 12
SELECT, PROGRAM, SP1, SP2, REMOTE, RATE, ERROR, USE_REMOTE = 15, 23, 24, 25, 26, 35, 39, 276
COUNTS = (SELECT, PROGRAM, USE_REMOTE)  # no decimals, no float
NUMBERS = (PV, TARGET, MANUAL, OUTPUT, WORKING, LOW, HIGH, SP1, SP2, REMOTE, RATE, ERROR)
WRITTEN = (TARGET, MANUAL, SELECT, PROGRAM, SP1, SP2, REMOTE, RATE, USE_REMOTE)
EEPROM = (TARGET, SP1, SP2)
FULL = 0x8000
DECIMALS = 1
RUN, END = 1, 3
PROGRAM_NS = 30_000_000_000


def places(number: int) -> tuple[int, ...]:
    """All registers of a parameter."""
    return (number,) if number in COUNTS else (number, FULL + 2 * number, FULL + 2 * number + 1)


class _Parameters(Registers):
    """The registers, and how often the EEPROM was written."""

    def __init__(self) -> None:
        super().__init__(writable={place for number in WRITTEN for place in places(number)}, functions=(3, 6, 16))
        self.wear = 0
        self.written: set[int] = set()  # registers, since the last update

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        super().write(function, address, new)
        touched = set(range(address, address + len(new)))
        self.written |= touched
        self.wear += sum(not touched.isdisjoint(places(number)) for number in EEPROM)


class Controller3216:
    """The controller. Input `room` is the temperature around the furnace.

    Outputs: `temperature` and `wear`, the writes to the EEPROM.
    """

    inputs: Mapping[str, Value] = {"room": 20.0}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._registers = _Parameters()
        self._values = dict.fromkeys((*NUMBERS, *COUNTS), 0.0) | {HIGH: 600.0, SP1: 20.0, SP2: 20.0, REMOTE: 20.0}
        self._furnace = Furnace(20.0)
        self._end_ns = 0
        self._publish()

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring controller and furnace to `now_ns`."""
        values, furnace, room_c = self._values, self._furnace, float(inputs["room"])
        for number in WRITTEN:
            self._take(number, now_ns)
        if values[PROGRAM] == RUN and now_ns >= self._end_ns:
            values[PROGRAM] = END
        selected = SP2 if values[SELECT] else SP1
        values[TARGET] = values[selected]
        values[WORKING] = values[REMOTE] if values[USE_REMOTE] else values[selected]
        call_at_ns = furnace.advance(now_ns, room_c, lambda: furnace.wanted(values[WORKING], room_c))
        values[PV], values[OUTPUT] = furnace.temperature_c, furnace.output
        values[ERROR] = values[PV] - values[WORKING]
        self._publish()
        return Outputs({"temperature": round(values[PV], 2), "wear": self._registers.wear}, call_at_ns)

    def _take(self, number: int, now_ns: int) -> None:
        """What was written to one place or the other of a parameter."""
        written, registers = self._registers.written, self.wire.holding
        if number in written:
            signed = (registers[number] ^ 0x8000) - 0x8000
            value = float(signed) if number in COUNTS else signed / 10**DECIMALS
        elif number not in COUNTS and FULL + 2 * number in written:
            value = float_of(registers[FULL + 2 * number], registers[FULL + 2 * number + 1])
        else:
            return
        written -= set(places(number))
        self._values[number] = value
        if number == TARGET:
            self._values[SP2 if self._values[SELECT] else SP1] = value
        if number == PROGRAM:
            self._end_ns = now_ns + PROGRAM_NS

    def _publish(self) -> None:
        registers = self.wire.holding
        for number, value in self._values.items():
            if number in COUNTS:
                registers[number] = word(value)
                continue
            registers[number] = word(value * 10**DECIMALS)
            registers[FULL + 2 * number], registers[FULL + 2 * number + 1] = float32(value)


MODELS = {"eurotherm.3216": Controller3216}
