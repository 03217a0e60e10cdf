"""Kolver K-DUCER, a control with its screwdriver, as the vendor's own library uses it.

A result is announced by a flag (input register 294) that clears itself when it is read; the result itself (295 and
after) stays until the next one. After another program was selected the control is busy for a while (exception 6), and
shows it only then. The remote lever (coil 32) must be written again and again; for how long it holds without is the
model's reading. A screw whose lever is let go is not as it should be.
"""

from collections.abc import Iterable, Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import BUSY, ModbusError, Registers
from cellctl_simulators.world import Outputs

FLAG, RESULT, RESULT_WORDS, VERSION = 294, 295, 67, 370
LEVER, STOP = 32, 34
SEQUENCE, PROGRAM, BARCODE = 7371, 7372, 7379
IDENTITY = b"KDU-1A vM.00.38"

BUSY_NS, LEVER_NS, RUNDOWN_NS = 300_000_000, 150_000_000, 700_000_000
TARGET_CNM, TOLERANCE_CNM, SPEED_RPM, SCREWS = 250, 25, 750, 8
SCREW_OK, LEVER_RELEASED, UNDER_TORQUE, OVER_TORQUE = 13, 25, 31, 32


class _Control(Registers):
    """The registers: a flag that clears itself, a control that may be busy, a lever that is felt when it is written."""

    def __init__(self) -> None:
        written = (LEVER, STOP, SEQUENCE, PROGRAM, *range(BARCODE, BARCODE + 8))
        super().__init__(writable=written, functions=(1, 2, 3, 4, 5, 6, 15, 16))
        self.coil = dict.fromkeys((*range(8), LEVER, STOP), 0)
        self.discrete = dict.fromkeys(range(20), 0)
        self.holding = {SEQUENCE: 0, PROGRAM: 1, **dict.fromkeys(range(BARCODE, BARCODE + 8), 0)}
        self.input = dict.fromkeys((FLAG, *range(RESULT, RESULT + RESULT_WORDS)), 0)
        self.put(VERSION, IDENTITY.ljust(20, b"\0"))
        self.busy = self.pulled = False
        self.wanted: dict[int, int] = {}  # sequence and program that are not taken yet

    def put(self, address: int, data: bytes) -> None:
        """Bytes as input registers."""
        words = (int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
        self.input.update(enumerate(words, address))

    def read(self, function: int, address: int, count: int) -> list[int]:
        """The values of `count` addresses; raises ModbusError."""
        if self.busy:
            raise ModbusError(BUSY)
        values = super().read(function, address, count)
        if function == 4 and address <= FLAG < address + count:
            self.input[FLAG] = 0
        return values

    def write(self, function: int, address: int, values: Iterable[int]) -> None:
        """Set addresses from `address` on, all or none; raises ModbusError."""
        new = list(values)
        if self.busy:
            raise ModbusError(BUSY)
        if address in (SEQUENCE, PROGRAM) and len(new) == 1:
            self.wanted[address] = new[0]
            return
        super().write(function, address, new)
        self.pulled |= function in (5, 15) and address == LEVER and bool(new[0])


class Kdu:
    """The control. Inputs: `lever` (a person pulls it), `torque` in cNm and `angle` in deg that the screw comes to.

    Outputs: `running`, `screws` and `ok` (counts), `power`.
    """

    inputs: Mapping[str, Value] = {"lever": False, "torque": TARGET_CNM, "angle": 360}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = self._control = _Control()
        self._busy_until_ns = self._pulled_until_ns = 0
        self._began_ns: int | None = None
        self._done = False  # with this pull of the lever
        self._screws = self._ok = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring control and screwdriver to `now_ns`."""
        control = self._control
        if control.wanted and not control.busy:
            self._busy_until_ns = now_ns + BUSY_NS
        control.busy = now_ns < self._busy_until_ns
        if control.wanted and not control.busy:
            control.holding |= control.wanted
            control.wanted = {}
        if control.pulled:
            control.pulled = False
            self._pulled_until_ns = now_ns + round(LEVER_NS * float(inputs.get("speed", 1.0)))
        if not control.coil[LEVER]:
            self._pulled_until_ns = now_ns
        self._turn(now_ns, inputs)
        running = self._began_ns is not None
        times_ns = [self._busy_until_ns, self._pulled_until_ns]
        times_ns += [self._began_ns + RUNDOWN_NS] if self._began_ns is not None else []
        outputs: dict[str, Value] = {"running": running, "screws": self._screws, "ok": self._ok}
        due_ns = min((at_ns for at_ns in times_ns if at_ns > now_ns), default=None)
        return Outputs({**outputs, "power": 60.0 if running else 8.0}, due_ns)

    def _turn(self, now_ns: int, inputs: Mapping[str, Value]) -> None:
        pulled = bool(inputs["lever"]) or now_ns < self._pulled_until_ns
        able = pulled and not self._control.coil[STOP]
        if self._began_ns is None and able and not self._done:
            self._began_ns = now_ns
        if self._began_ns is not None and now_ns >= self._began_ns + RUNDOWN_NS:
            self._finish(inputs, RUNDOWN_NS, released=False)
        elif self._began_ns is not None and not able:
            self._finish(inputs, now_ns - self._began_ns, released=True)
        self._done = self._done and pulled

    def _finish(self, inputs: Mapping[str, Value], took_ns: int, *, released: bool) -> None:
        torque, angle = (0, 0) if released else (int(inputs["torque"]), int(inputs["angle"]))
        code = SCREW_OK
        if torque < TARGET_CNM - TOLERANCE_CNM:
            code = LEVER_RELEASED if released else UNDER_TORQUE
        elif torque > TARGET_CNM + TOLERANCE_CNM:
            code = OVER_TORQUE
        self._began_ns, self._done = None, True
        self._screws += 1
        self._ok += code == SCREW_OK
        holding = self._control.holding
        fields = {word: holding[BARCODE + word] for word in range(8)} | {
            8: code == SCREW_OK, 9: holding[PROGRAM], 10: 4, 11: 0, 12: 4711, 15: TARGET_CNM, 16: SPEED_RPM,
            17: took_ns // 1_000_000, 18: self._ok, 19: SCREWS, 20: holding[SEQUENCE], 23: torque, 24: torque,
            28: angle, 35: code,
        }  # fmt: skip
        self._control.input.update({RESULT + word: int(value) for word, value in fields.items()})
        self._control.put(RESULT + 36, f"Program {holding[PROGRAM]}".encode().ljust(30, b"\0"))
        self._control.input[FLAG] = 1


MODELS = {"kolver.kdu": Kdu}
