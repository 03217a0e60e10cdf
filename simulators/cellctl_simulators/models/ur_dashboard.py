"""The dashboard server of a Universal Robots controller: lower-case commands, one line of answer each.

An answer says that something has begun; that it is done is told by `robotmode` and `programState`.
"""

from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.wire import Lines
from cellctl_simulators.world import Outputs

GREETING = "Connected: Universal Robots Dashboard Server"
POWER_ON_NS, RELEASE_NS = 2_000_000_000, 1_500_000_000
OFF, IDLE, RUNNING = "POWER_OFF", "IDLE", "RUNNING"
STOPPED, PLAYING, PAUSED = "STOPPED", "PLAYING", "PAUSED"


class Dashboard:
    """The controller. Inputs: `programs` (names with blanks between), `remote`. Outputs: `mode`, `program`, `power`."""

    inputs: Mapping[str, Value] = {"programs": "weld.urp load.urp", "remote": True}

    def __init__(self, random: Random | None = None) -> None:
        self.wire = Lines(end="\n", greeting=GREETING)
        self._mode, self._next = OFF, ("", 0)  # and what comes next, when
        self._program, self._loaded = STOPPED, "<unnamed>"

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the controller to `now_ns`."""
        if self._next[0] and now_ns >= self._next[1]:
            self._mode, self._next = self._next[0], ("", 0)
        for ask in self.wire.take():
            ask.reply(self._answer(ask.text, now_ns, inputs))
        power = {OFF: 20.0, IDLE: 90.0}.get(self._mode, 140.0)
        outputs: dict[str, Value] = {"mode": self._mode, "program": self._program, "power": power}
        return Outputs(outputs, self._next[1] if self._next[0] else None)

    def _answer(self, text: str, now_ns: int, inputs: Mapping[str, Value]) -> str:
        word, _, name = text.partition(" ")
        if word == "load":
            return self._load(name, str(inputs["programs"]).split())
        match text:
            case "robotmode":
                return f"Robotmode: {self._mode}"
            case "programState":
                return f"{self._program} {self._loaded}"
            case "running":
                return f"Program running: {str(self._program == PLAYING).lower()}"
            case "power on":
                return self._becomes(OFF, (IDLE, now_ns + POWER_ON_NS), "Powering on")
            case "brake release":
                return self._becomes(IDLE, (RUNNING, now_ns + RELEASE_NS), "Brake releasing")
        return self._play(text, bool(inputs["remote"]))

    def _becomes(self, before: str, then: tuple[str, int], answer: str) -> str:
        if self._mode == before and not self._next[0]:
            self._next = then
        return answer

    def _load(self, name: str, programs: list[str]) -> str:
        if name not in programs:
            return f"File not found: {name}"
        self._program, self._loaded = STOPPED, name
        return f"Loading program: {name}"

    def _play(self, text: str, remote: bool) -> str:
        able = remote and self._mode == RUNNING and self._loaded != "<unnamed>"
        if text == "play" and able:
            self._program = PLAYING
            return "Starting program"
        if text == "pause" and self._program == PLAYING:
            self._program = PAUSED
            return "Pausing program"
        if text == "stop":
            self._program = STOPPED
            return "Stopped"
        return f"Failed to execute: {text}"
