"""The insulation tester HP500, from its programmer's guide, rev B, chapter 3: SCPI over TCP.

Only a query (`?`) has an answer. A test has a token; the token of the last test, sent again, starts nothing. What was
wrong is kept for `SYST:ERR?`.
"""

from typing import ClassVar

from cellctl_simulators import Lines, Outputs

NO_READING = 9.9e37
NO_ERROR = '0,"No error"'


class Hp500:
    """Inputs: `module` (one lies in the nest), `insulation` of modules in MOhm.

    Outputs: `running`, `tests` (count), `resistance` in MOhm, `power`.
    """

    def __init__(self, random):
        self.inputs = {"module": False, "insulation": 850.0}
        self.wire = Lines(end="\n")
        self._random = random
        self._voltage = 0.0
        self._state = "IDLE"
        self._token = self._running = 0  # of the last test that was finished, and of the one that runs
        self._end_ns = 0
        self._resistance = NO_READING
        self._tests = 0
        self._error = NO_ERROR

    def update(self, now_ns, inputs):
        """Finish the test that runs, then do what was asked."""
        if self._state == "RUN" and now_ns >= self._end_ns:
            self._finish(inputs)
        for ask in self.wire.take():
            header, _, argument = ask.text.strip().partition(" ")
            if header in self.QUERIES:
                ask.reply(self.QUERIES[header](self))
            else:
                self._order(header, argument, now_ns)
        running = self._state == "RUN"
        outputs = {
            "running": running,
            "tests": self._tests,
            "resistance": self._resistance,
            "power": 85.0 if running else 25.0,
        }
        return Outputs(outputs, self._end_ns if running else None)

    def _finish(self, inputs):
        spread = self._random.gauss(1.0, 0.05)
        self._resistance = round(inputs["insulation"] * spread, 1) if inputs["module"] else NO_READING
        self._state, self._token, self._tests = "DONE", self._running, self._tests + 1

    def _order(self, header, argument, now_ns):
        if header not in self.ORDERS:
            self._error = '-113,"Undefined header"'
            return
        try:
            self.ORDERS[header](self, argument, now_ns)
        except ValueError:
            self._error = '-222,"Data out of range"'

    def _set_voltage(self, argument, now_ns):
        volts = float(argument)
        if not 0 <= volts <= 1000:
            raise ValueError(argument)
        self._voltage = volts

    def _start(self, argument, now_ns):
        token_text, _, time_text = argument.partition(",")
        token, time_s = int(token_text), float(time_text)
        if not 1 <= token <= 65535 or not 0.1 <= time_s <= 60:
            raise ValueError(argument)
        if self._state == "RUN":
            self._error = '-213,"Init ignored"'
        elif token != self._token:
            self._state, self._running, self._end_ns = "RUN", token, now_ns + int(time_s * 1e9)
            self._resistance = NO_READING

    def _output(self, argument, now_ns):
        if argument != "OFF":
            raise ValueError(argument)
        if self._state == "RUN":
            self._state = "IDLE"

    def _tell_error(self):
        error, self._error = self._error, NO_ERROR
        return error

    QUERIES: ClassVar = {
        "*IDN?": lambda self: "EXAMPLE,HP500,10482,2.3",
        "SOUR:VOLT?": lambda self: f"{self._voltage:.1f}",
        "STAT?": lambda self: self._state,
        "TEST:TOK?": lambda self: str(self._token),
        "FETC:RES?": lambda self: f"{self._resistance:.4E}",
        "SYST:ERR?": _tell_error,
    }
    ORDERS: ClassVar = {"SOUR:VOLT": _set_voltage, "TEST:STAR": _start, "OUTP": _output}


MODELS = {"hp500-hipot": Hp500}
