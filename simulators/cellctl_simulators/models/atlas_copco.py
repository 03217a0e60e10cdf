"""A tightening controller with one tool, by the Open Protocol of Atlas Copco, everything in revision 1.

A message is a header of 20 characters (length, MID, revision, ...) and its data, closed by NUL. The habits: nothing is
answered before MID 0001; results are sent only to a client that asked for them, and the next one only when the last was
acknowledged. That a new 0001 begins everything anew, and that a client that says nothing for 15 s is forgotten, is the
model's reading.
"""

from collections import deque
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Ask, Lines
from cellctl_simulators.world import Outputs

RUNDOWN_NS = 800_000_000
PATIENCE_NS = 15_000_000_000
RESULTS_MAX = 100
HEADER = "001000000000"  # of what is sent, after length and MID
REVISION_ONE = ("000", "001", "   ")

#: number of a parameter set -> torque from, to and wanted, in hundredths of Nm
PARAMETER_SETS: Mapping[int, tuple[int, int, int]] = {1: (225, 275, 250), 2: (450, 550, 500), 3: (900, 1100, 1000)}
ANGLES = (30, 200, 90)
BATCH = 4

INVALID, NO_SET, SUBSCRIBED, NO_REVISION, UNKNOWN = "01", "02", "09", "97", "99"


class Controller:
    """The controller. Inputs: `trigger` of the tool, which turns a screw with each press, `torque` in Nm and `angle` in
    deg that it comes to, `vin` of the part. Outputs: `enabled`, `turning`, `tightened` and `ok` (counts), `power`."""

    inputs: Mapping[str, Value] = {"trigger": False, "torque": 5.0, "angle": 90, "vin": ""}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\0", takes="\0", digits=4)
        self._enabled, self._pset = True, 2
        self._session = self._subscribed = False
        self._results: deque[str] = deque(maxlen=RESULTS_MAX)
        self._open = False  # a result was sent that is not acknowledged
        self._heard_ns = 0
        self._pressed = False
        self._end_ns: int | None = None
        self._tightened = self._ok = self._in_batch = 0

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Turn, tell, and answer."""
        patience_ns = round(PATIENCE_NS * float(inputs.get("speed", 1.0)))
        if self._session and now_ns >= self._heard_ns + patience_ns:
            self._begin(session=False)
        for ask in self.wire.take():
            self._heard_ns = now_ns
            self._take(ask)
        pressed = bool(inputs["trigger"])
        if pressed and not self._pressed and self._enabled and self._end_ns is None:
            self._end_ns = now_ns + RUNDOWN_NS
        self._pressed = pressed
        if self._end_ns is not None and now_ns >= self._end_ns:
            self._end_ns = None
            self._finish(now_ns, inputs)
        if self._results and not self._open:
            self._open = True
            self.wire.say(self._results.popleft())
        turning = self._end_ns is not None
        times_ns = [self._end_ns, self._heard_ns + patience_ns if self._session else None]
        outputs: dict[str, Value] = {"enabled": self._enabled, "turning": turning, "tightened": self._tightened}
        outputs |= {"ok": self._ok, "power": 150.0 if turning else 20.0}
        return Outputs(outputs, min((at_ns for at_ns in times_ns if at_ns is not None), default=None))

    def _begin(self, *, session: bool) -> None:
        self._session, self._subscribed, self._open = session, False, False
        self._results.clear()

    def _take(self, ask: Ask) -> None:
        mid, revision, data = ask.text[:4], ask.text[4:7], ask.text[16:]
        if len(ask.text) < 16 or not (self._session or mid == "0001"):
            return
        match mid:
            case "0062":
                self._open = False
            case "9999":
                ask.reply(ask.text)
            case "0001" | "0060" if revision not in REVISION_ONE:
                ask.reply(_refused(mid, NO_REVISION))
            case "0001":
                self._begin(session=True)
                ask.reply(f"0002{HEADER}010001020103{'Simulated controller':<25}")
            case _:
                problem = self._do(mid, data)
                ask.reply(_refused(mid, problem) if problem else f"0005{HEADER}{mid}")

    def _do(self, mid: str, data: str) -> str:
        """Do what is asked; the code of what is wrong with it, or ""."""
        match mid:
            case "0003":
                self._begin(session=False)
            case "0018" if not (len(data) == 3 and data.isdigit()):
                return INVALID
            case "0018" if int(data) not in PARAMETER_SETS:
                return NO_SET
            case "0018":
                self._pset, self._in_batch = int(data), 0
            case "0042" | "0043":
                self._enabled = mid == "0043"
                self._end_ns = self._end_ns if self._enabled else None
            case "0060" if self._subscribed:
                return SUBSCRIBED
            case "0060":
                self._subscribed = True
            case _:
                return UNKNOWN
        return ""

    def _finish(self, now_ns: int, inputs: Mapping[str, Value]) -> None:
        """A screw has been turned."""
        least, most, target = PARAMETER_SETS[self._pset]
        torque, angle = round(float(inputs["torque"]) * 100), int(inputs["angle"])
        torque_status = 0 if torque < least else 2 if torque > most else 1
        angle_status = 0 if angle < ANGLES[0] else 2 if angle > ANGLES[1] else 1
        is_ok = torque_status == angle_status == 1
        self._tightened += 1
        self._ok += is_ok
        self._in_batch = self._in_batch % BATCH + 1 if is_ok else self._in_batch
        if self._subscribed:
            fields = (
                "0001", "01", f"{'Simulated controller':<25}", f"{str(inputs['vin'])[:25]:<25}", "00",
                f"{self._pset:03d}", f"{BATCH:04d}", f"{self._in_batch:04d}", f"{is_ok:d}", f"{torque_status}",
                f"{angle_status}", f"{least:06d}", f"{most:06d}", f"{target:06d}", f"{torque:06d}",
                *(f"{each:05d}" for each in (*ANGLES, angle)), _clock(now_ns), _clock(0),
                f"{self._in_batch == BATCH:d}", f"{self._tightened:010d}",
            )  # fmt: skip
            self._results.append(
                f"0061{HEADER}" + "".join(f"{number:02d}{field}" for number, field in enumerate(fields, 1))
            )


def _refused(mid: str, code: str) -> str:
    return f"0004{HEADER}{mid}{code}"


def _clock(now_ns: int) -> str:
    """The time since it was switched on, as the time of a day."""
    minutes, seconds = divmod(now_ns // 1_000_000_000, 60)
    return f"2026-01-01:{minutes // 60 % 24:02d}:{minutes % 60:02d}:{seconds:02d}"


MODELS = {"atlas-copco.open-protocol": Controller}
