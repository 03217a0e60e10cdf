"""The laser welder LX2, from its interface manual, issue 4: one line in, one line out, both closed by CR LF.

A shot has a token. The token of the last shot, sent again, fires nothing: the laser tells the last shot's result again.
Without `WDG` for 1.5 s the laser switches itself off.
"""

from typing import ClassVar

from cellctl_simulators import Lines, Outputs

UNKNOWN, RANGE, NOT_ON, BUSY = "ERR 1", "ERR 2", "ERR 3", "ERR 4"
WARM_UP_NS = 300_000_000
CHARGE_NS = 15_000_000  # before every shot
WATCHDOG_NS = 1_500_000_000  # of the clients' time, however fast this world goes
WEAK = 0.7  # what a weak shot has of a good one


class Lx2:
    """Inputs: `window` (cleanliness in %), `weak_rate` (0..1). Outputs: `on`, `firing`, `shots`, `peak`, `power`."""

    def __init__(self, random):
        self.inputs = {"window": 98.0, "weak_rate": 0.0}
        self.wire = Lines(end="\r\n")
        self._random = random
        self._power_w = 0.0
        self._on = False
        self._ready_ns = self._watched_ns = 0
        self._shots = 0
        self._last = (0, 0.0)  # token and peak of the last shot
        self._shot = None  # the ask, its token and its end, while it is fired

    def update(self, now_ns, inputs):
        """Finish the shot, answer what was asked, and watch the client."""
        if self._shot and now_ns >= self._shot[2]:
            self._finish(inputs)
        for ask in self.wire.take():
            word, *arguments = ask.text.split() or [""]
            answer = self.COMMANDS.get(word, Lx2._unknown)(self, ask, arguments, now_ns, inputs)
            if answer is not None:
                ask.reply(answer)
        silent_ns = self._watched_ns + int(WATCHDOG_NS * inputs["speed"])
        if self._on and not self._shot and now_ns >= silent_ns:
            self._on = False
        timers_ns = [self._ready_ns, silent_ns] if self._on else []
        timers_ns += [self._shot[2]] if self._shot else []
        outputs = {
            "on": self._on,
            "firing": self._shot is not None,
            "shots": self._shots,
            "peak": self._last[1],
            "power": (self._power_w * 3 if self._shot else 250.0) if self._on else 60.0,
        }
        return Outputs(outputs, min((at for at in timers_ns if at > now_ns), default=None))

    def _finish(self, inputs):
        ask, token, _ = self._shot
        quality = WEAK if self._random.random() < inputs["weak_rate"] else 1.0
        peak = self._power_w * inputs["window"] / 100 * self._random.gauss(0.985, 0.008) * quality
        self._shot, self._shots, self._last = None, self._shots + 1, (token, round(peak, 1))
        ask.reply(self._result())

    def _result(self):
        return f"SHOT {self._last[0]} PEAK {self._last[1]:.1f}"

    def _is_ready(self, now_ns):
        return self._on and now_ns >= self._ready_ns

    def _unknown(self, ask, arguments, now_ns, inputs):
        return UNKNOWN

    def _identity(self, ask, arguments, now_ns, inputs):
        return "LX2,0042,1.4"

    def _watchdog(self, ask, arguments, now_ns, inputs):
        self._watched_ns = now_ns
        return "OK"

    def _set_power(self, ask, arguments, now_ns, inputs):
        value = _number(arguments, 0)
        if value is None or not 0 <= value <= 2000:
            return RANGE
        self._power_w = value
        return "OK"

    def _tell_power(self, ask, arguments, now_ns, inputs):
        return f"PWR {self._power_w:.0f}"

    def _switch_on(self, ask, arguments, now_ns, inputs):
        if not self._on:
            self._on, self._ready_ns, self._watched_ns = True, now_ns + WARM_UP_NS, now_ns
        return "OK"

    def _switch_off(self, ask, arguments, now_ns, inputs):
        self._on = False
        return "OK"

    def _tell_on(self, ask, arguments, now_ns, inputs):
        return f"ON {self._on:d}"

    def _tell_ready(self, ask, arguments, now_ns, inputs):
        return f"RDY {self._is_ready(now_ns):d}"

    def _tell_window(self, ask, arguments, now_ns, inputs):
        return f"WIN {inputs['window']:.1f}"

    def _tell_last(self, ask, arguments, now_ns, inputs):
        return f"LAST {self._last[0]} {self._last[1]:.1f}"

    def _tell_peak(self, ask, arguments, now_ns, inputs):
        return f"PEAK {self._last[1]:.1f}"

    def _fire(self, ask, arguments, now_ns, inputs):
        token, duration_ms = _number(arguments, 0), _number(arguments, 1)
        if token is None or duration_ms is None or not 1 <= token <= 65535 or not 10 <= duration_ms <= 200:
            return RANGE
        if self._shot:
            return BUSY
        if token == self._last[0]:
            return self._result()
        if not self._on:
            return NOT_ON
        if not self._is_ready(now_ns):
            return BUSY
        self._shot = (ask, int(token), now_ns + CHARGE_NS + int(duration_ms * 1e6))
        return None

    COMMANDS: ClassVar = {
        "*IDN?": _identity,
        "WDG": _watchdog,
        "PWR": _set_power,
        "PWR?": _tell_power,
        "ON": _switch_on,
        "OFF": _switch_off,
        "ON?": _tell_on,
        "RDY?": _tell_ready,
        "WIN?": _tell_window,
        "LAST?": _tell_last,
        "PEAK?": _tell_peak,
        "FIRE": _fire,
    }


def _number(arguments, index):
    try:
        return float(arguments[index])
    except (IndexError, ValueError):
        return None


MODELS = {"lx2-laser": Lx2}
