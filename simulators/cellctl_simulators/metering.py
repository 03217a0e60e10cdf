"""What an energy meter measures, and how it stands in its registers.

The rule kept here: the physics is the same for every meter; a maker's model adds only where each quantity stands, in
which form, and what the meter refuses.
"""

import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

VOLTAGE_V = 230.0
POWER_FACTOR = 0.93
NS_PER_HOUR = 3600e9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a quantity stands: its first register, its form in the words of `struct`, and what 1 of it counts there."""

    address: int
    quantity: str
    form: str = "f"
    factor: float = 1.0


class Layout:
    """The registers of a meter; with `lsw` the low word of a longer number comes first."""

    def __init__(self, places: Iterable[Place], *, lsw: bool = False) -> None:
        self._places = tuple(places)
        self._form = struct.Struct(">" + "".join(place.form for place in self._places))
        self._addresses: list[int] = []
        for place in self._places:
            words = range(place.address, place.address + struct.calcsize(place.form) // 2)
            self._addresses += reversed(words) if lsw else words
        self._words = struct.Struct(f">{len(self._addresses)}H")

    @property
    def addresses(self) -> Collection[int]:
        """All registers that hold a part of a quantity."""
        return self._addresses

    def registers(self, quantities: Mapping[str, float]) -> dict[int, int]:
        """What stands in the registers."""
        raws: list[float] = []
        for place in self._places:
            raw = quantities[place.quantity] * place.factor
            raws.append(raw if place.form in "fd" else round(raw))
        return dict(zip(self._addresses, self._words.unpack(self._form.pack(*raws)), strict=True))


class MeterRegisters(Registers):
    """The meter's registers: calculated when somebody reads them, for the power changes far more often."""

    def __init__(self, measure: Callable[[], None], *, functions: Collection[int], count_max: int) -> None:
        super().__init__(functions=functions, count_max=count_max)
        self.old = True
        self._measure = measure

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        if self.old:
            self.old = False
            self._measure()
        return super().read(function, address, count)


class Meter:
    """A meter on three phases that carry the same. Input `power` is what they carry together, in W, below 0 if it flows
    back to the net. Output `energy` is the import in kWh. A maker's meter says where its quantities stand."""

    inputs: Mapping[str, Value] = {"power": 0.0}
    layout: Layout
    table = "input"
    functions: Collection[int] = (3, 4)
    count_max = 125
    phases = 3

    def __init__(self, random: Random | None = None) -> None:
        self.wire = MeterRegisters(self._measure, functions=self.functions, count_max=self.count_max)
        self._quantities: dict[int, int] = getattr(self.wire, self.table)
        self._quantities.update(dict.fromkeys(self.layout.addresses, 0))
        self._random = random or Random(0)
        self._second = -1
        self._voltage_v = [VOLTAGE_V] * 3
        self._import_kwh = self._export_kwh = 0.0
        self._power_w = 0.0
        self._last_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the meter to `now_ns`; the power has been what it was at the last update."""
        flown_kwh = self._power_w * (now_ns - self._last_ns) / NS_PER_HOUR / 1000
        self._import_kwh += max(flown_kwh, 0.0)
        self._export_kwh += max(-flown_kwh, 0.0)
        self._last_ns, self._power_w = now_ns, float(inputs["power"])
        second = now_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            self._voltage_v = [VOLTAGE_V + self._random.gauss(0, 0.4) for _ in range(3)]
        self.wire.old = True
        return Outputs({"energy": self._import_kwh})

    def _measure(self) -> None:
        self._quantities.update(self.layout.registers(self._measured()))

    def _measured(self) -> dict[str, float]:
        """Every quantity by name, in V, A, W, VA, var, Hz and kWh."""
        power_w, phases = self._power_w, self.phases
        apparent_va = abs(power_w) / POWER_FACTOR
        reactive_var = (apparent_va**2 - power_w**2) ** 0.5
        measured = {
            "voltage": sum(self._voltage_v) / 3,
            "current_sum": apparent_va / VOLTAGE_V,
            "current": apparent_va / VOLTAGE_V / phases,
            "power": power_w,
            "apparent_power": apparent_va,
            "reactive_power": reactive_var,
            "power_factor": POWER_FACTOR,
            "frequency": 50.0,
            "import_energy": self._import_kwh,
            "export_energy": self._export_kwh,
            "total_energy": self._import_kwh + self._export_kwh,
        }
        for number, voltage_v in enumerate(self._voltage_v[:phases], start=1):
            measured |= {
                f"voltage_l{number}": voltage_v,
                f"current_l{number}": apparent_va / phases / voltage_v,
                f"power_l{number}": power_w / phases,
                f"apparent_power_l{number}": apparent_va / phases,
                f"reactive_power_l{number}": reactive_var / phases,
                f"power_factor_l{number}": POWER_FACTOR,
                f"import_energy_l{number}": self._import_kwh / phases,
            }
        return measured


def by_phase(address: int, quantity: str, *, form: str = "f", factor: float = 1.0) -> Iterable[Place]:
    """The three places of a quantity that is measured in each phase, one behind the other."""
    step = struct.calcsize(form) // 2
    return [Place(address + step * n, f"{quantity}_l{n + 1}", form, factor) for n in range(3)]
