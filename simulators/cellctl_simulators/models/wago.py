"""WAGO 750, an Ethernet coupler, as its manuals list its registers; without a process image, which its terminals make.

Its Modbus watchdog: time (0x1000), mask of the functions that feed it (0x1001), trigger (0x1003). It starts when
another value than before, and not 0, is written to the trigger; while it runs time and mask cannot be set; once it has
expired every request is answered by exception 4 until it is stopped (0x1005: 0xAAAA, then 0x5555, or 0x1008: 0xAA55) or
started anew. The statistics (0x1029) are one item of nine words.
"""

from collections.abc import Callable, Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import FAILURE, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ModbusError, Registers
from cellctl_simulators.world import Outputs

TIME, MASK, MASK_2, TRIGGER, STOP, STATUS, RESTART, STOP_SIMPLY = (
    0x1000, 0x1001, 0x1002, 0x1003, 0x1005, 0x1006, 0x1007, 0x1008,
)  # fmt: skip
OUTPUT_BITS, INPUT_BITS, STATISTICS, CONNECTIONS, NAMEPLATE = 0x1024, 0x1025, 0x1029, 0x102A, 0x2010
STATISTICS_WORDS = 9
OFF, RUNNING, EXPIRED = 0, 1, 2
CONTROL = (TRIGGER, STOP, RESTART, STOP_SIMPLY)  # what is taken even when it has expired
SIMPLY = (0xAA55, 0x55AA)
BITS = 16


class _Coupler(Registers):
    """The registers, and the rules of the watchdog."""

    def __init__(self) -> None:
        super().__init__(writable=(TIME, MASK, MASK_2, STATISTICS, *CONTROL), functions=(3, 4, 6, 16))
        self.holding = dict.fromkeys((TIME, MASK, MASK_2, *CONTROL, STATUS, 0x1020, 0x1021), 0)
        self.holding |= {TIME: 100, OUTPUT_BITS: BITS, INPUT_BITS: BITS, CONNECTIONS: 1}
        self.holding |= dict(enumerate((5, 750, 352, 1, 4), NAMEPLATE))
        self.input = self.holding
        self.counts = [0] * STATISTICS_WORDS
        self.state, self.fed = OFF, False
        self._half_stopped = False

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        self._ask(function)
        if self.state == EXPIRED:
            raise ModbusError(FAILURE)
        if address == STATISTICS and count == STATISTICS_WORDS:
            return list(self.counts)
        return self._counting(lambda: super(_Coupler, self).read(function, address, count))

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        self._ask(function)
        if len(new) == 1 and address in CONTROL:
            self._control(address, new[0])
            return
        self._half_stopped = False
        if self.state == EXPIRED or (self.state == RUNNING and address in (TIME, MASK, MASK_2)):
            raise ModbusError(FAILURE)
        if address == STATISTICS and new[0] in SIMPLY:
            self.counts = [0] * STATISTICS_WORDS
            return
        self._counting(lambda: super(_Coupler, self).write(function, address, new))

    def _ask(self, function: int) -> None:
        self.counts[8] = (self.counts[8] + 1) & 0xFFFF
        if self.state == RUNNING and self.holding[MASK] >> (function - 1) & 1:
            self.fed = True

    def _counting(self, do: Callable[[], list[int] | None]) -> list[int]:
        try:
            return do() or []
        except ModbusError as error:
            self.counts[{ILLEGAL_FUNCTION: 3, ILLEGAL_ADDRESS: 4}.get(error.code, 5)] += 1
            raise

    def _control(self, address: int, value: int) -> None:
        stops = (address == STOP and self._half_stopped and value == 0x5555) or (
            address == STOP_SIMPLY and value in SIMPLY
        )
        self._half_stopped = address == STOP and value == 0xAAAA
        if stops:
            self.state = OFF
        elif address == RESTART and value == 1 and self.state == EXPIRED:
            self.state, self.fed = RUNNING, True
        elif address == TRIGGER:
            if value and value != self.holding[TRIGGER] and self.holding[TIME]:
                self.state, self.fed = RUNNING, True
            self.holding[TRIGGER] = value


class Coupler750:
    """The coupler. Outputs: `watchdog` (0 off, 1 running, 2 expired), `power`."""

    inputs: Mapping[str, Value] = {}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._coupler = _Coupler()
        self._last_ns = self._end_ns = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the coupler to `now_ns`."""
        coupler = self._coupler
        if coupler.fed:  # it was asked when it was last brought up to date
            time_ns = coupler.holding[TIME] * int(100_000_000 * float(inputs.get("speed", 1.0)))
            coupler.fed, self._end_ns = False, self._last_ns + time_ns
        self._last_ns = now_ns
        if coupler.state == RUNNING and now_ns >= self._end_ns:
            coupler.state = EXPIRED
        coupler.holding[STATUS] = coupler.state
        due_ns = self._end_ns if coupler.state == RUNNING else None
        return Outputs({"watchdog": coupler.state, "power": 5.0}, due_ns)


MODELS = {"wago.750": Coupler750}
