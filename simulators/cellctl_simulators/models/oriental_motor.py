"""Oriental Motor AZ, a stepping motor driver, as three independent drivers use its registers.

Direct data operation: eight values of 32 bits from 0x58 (number, type, position, speed, two rates, current, trigger).
A trigger of 1 starts the motion when it is written; with a negative one, the value that it names starts it when that is
written (-5 the position, -4 the speed). Input command 0x7D: bits act when they rise, FREE as long as it is on. Output
status 0x7F, alarm 0x80, position 0xCC. That it starts and stops at once is the model's simplification.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Registers
from cellctl_simulators.world import Outputs

DATA, WORDS, COMMAND, STATUS, ALARM, POSITION = 0x58, 18, 0x7D, 0x7F, 0x80, 0xCC
TYPE, TARGET, SPEED, TRIGGER = DATA + 2, DATA + 4, DATA + 6, DATA + 14
#: trigger -> the value that starts the motion when it is written
TRIGGERS = {-7: DATA, -6: TYPE, -5: TARGET, -4: SPEED, -3: DATA + 8, -2: DATA + 10, -1: DATA + 12, 1: TRIGGER}
ABSOLUTE, BY_COMMAND, BY_FEEDBACK, CONTINUOUS = 1, 2, 3, 16
ZHOME, STOP, FREE, RESET = 0x10, 0x20, 0x40, 0x80
READY, ALARMED, MOVING, IN_POSITION = 1 << 5, 1 << 7, 1 << 13, 1 << 14
HOME_SPEED = 5000
OVERLOAD = 0x30


class _Driver(Registers):
    """The registers: what is written together starts a motion, and bits of the command are noticed when they rise."""

    def __init__(self) -> None:
        written = {*range(DATA, DATA + WORDS), COMMAND}
        super().__init__(writable=written, functions=(3, 6, 16))
        self.holding = dict.fromkeys((*written, COMMAND - 1, *range(STATUS - 1, ALARM + 2), POSITION, POSITION + 1), 0)
        self.started, self.risen = False, 0

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        before = self.holding[COMMAND]
        super().write(function, address, new)
        self.risen |= self.holding[COMMAND] & ~before
        begins = TRIGGERS.get(self.number(TRIGGER))
        if begins is not None and address <= begins < address + len(new):
            self.started = True

    def number(self, address: int) -> int:
        """The 32-bit number at an address."""
        value = self.holding[address] << 16 | self.holding[address + 1]
        return value - (1 << 32) if value >> 31 else value

    def put(self, address: int, value: int) -> None:
        """Set it."""
        self.holding[address], self.holding[address + 1] = divmod(value & 0xFFFFFFFF, 0x10000)


class Az:
    """The driver with its motor. Input `overload` brings it into alarm. Outputs: `position` at rest, `moving`, `free`,
    `power`."""

    inputs: Mapping[str, Value] = {"overload": False}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._driver = _Driver()
        self._start, self._left_ns, self._speed = 0, 0, 0  # steps, when it left there, steps/s with its sign
        self._target: int | None = None  # None: for ever
        self._moving = False
        self._alarm = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the driver to `now_ns`."""
        driver = self._driver
        position, arrival_ns = self._now(now_ns)
        risen, driver.risen = driver.risen, 0
        started, driver.started = driver.started, False
        free = bool(driver.holding[COMMAND] & FREE)
        if risen & RESET and not inputs["overload"]:
            self._alarm = 0
        self._alarm = OVERLOAD if inputs["overload"] else self._alarm
        if free or self._alarm or risen & STOP:
            self._rest(position)
        elif risen & ZHOME:
            self._go(now_ns, position, target=0, speed=HOME_SPEED)
        elif started:
            self._begin(now_ns, position)
        position, arrival_ns = self._now(now_ns)
        able = not free and not self._alarm and not self._moving
        driver.holding[STATUS] = READY * able | ALARMED * bool(self._alarm) | MOVING * self._moving
        driver.holding[STATUS] |= IN_POSITION * (not self._moving)
        driver.put(ALARM, self._alarm)
        driver.put(POSITION, position)
        rest = {} if self._moving else {"position": position}
        outputs: dict[str, Value] = {
            "moving": self._moving,
            "free": free,
            "power": 40.0 if self._moving else 8.0,
            **rest,
        }
        return Outputs(outputs, arrival_ns if self._moving else None)

    def _begin(self, now_ns: int, position: int) -> None:
        driver = self._driver
        kind, wanted, speed = (driver.number(at) for at in (TYPE, TARGET, SPEED))
        if kind == CONTINUOUS and speed:
            self._start, self._left_ns, self._speed = position, now_ns, speed
            self._target, self._moving = None, True
        elif kind in (ABSOLUTE, BY_COMMAND, BY_FEEDBACK) and speed > 0:
            self._go(now_ns, position, target=wanted if kind == ABSOLUTE else position + wanted, speed=speed)

    def _go(self, now_ns: int, position: int, *, target: int, speed: int) -> None:
        self._start, self._left_ns, self._target = position, now_ns, target
        self._speed, self._moving = speed if target > position else -speed, target != position

    def _rest(self, position: int) -> None:
        self._start, self._speed, self._moving = position, 0, False

    def _now(self, now_ns: int) -> tuple[int, int | None]:
        """Where the motor is, and when it arrives; there it stops."""
        if not self._moving:
            return self._start, None
        if self._target is None:
            return self._start + round(self._speed * (now_ns - self._left_ns) / 1e9), None
        arrival_ns = self._left_ns + round((self._target - self._start) / self._speed * 1e9)
        if now_ns >= arrival_ns:
            self._rest(self._target)
            return self._start, None
        return self._start + round(self._speed * (now_ns - self._left_ns) / 1e9), arrival_ns


MODELS = {"oriental-motor.az": Az}
