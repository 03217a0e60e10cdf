"""A control process as the link shows it, without a cell: what it tells and answers is set by the test."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from cellctl.core.alarm import Alarm
from cellctl.core.fault import Cause
from cellctl.core.messages import Receipt, Refused, Request
from cellctl.core.signal import Quality, Sample
from cellctl.core.view import (
    ChangeoverView,
    DeviceView,
    DownloadView,
    JobView,
    PartView,
    QuestionView,
    RecipeView,
    SensorView,
    StationView,
    StepView,
    View,
)
from cellctl.core.wire import decode_request, encode_answer, encode_line, encode_sample

TOLD_EVERY_S = 0.05

RECIPES = (RecipeView("module-12s", "7", "MOD-12S-A"), RecipeView("module-8s", "3", "MOD-8S-A"))
DEVICES = ("plc", "robot", "grip", "laser", "eol", "meter")


def producing(**changes: object) -> View:
    """A cell in the middle of a job."""
    fields: dict[str, object] = {
        "id": "bm1",
        "name": "Battery modules 1",
        "time_ns": 1_760_000_000_000_000_000,
        "state": "Execute",
        "state_number": 6,
        "state_since_ns": 1_760_000_000_000_000_000,
        "mode": "Production",
        "mode_number": 1,
        "simulated": True,
        "recipe": RECIPES[0],
        "recipes": RECIPES,
        "job": JobView("job-1", "module-12s", 20, 9, 7, 6, 1),
        "jobs": (JobView("job-1", "module-12s", 20, 9, 7, 6, 1), JobView("job-2", "module-8s", 20, 0, 0, 0, 0)),
        "good": 46,
        "reject": 1,
        "commands": ("stop", "hold", "suspend", "abort", "complete"),
        "refusals": {},
        "why": (),
        "parts": (
            PartView("job-1-0008", "job-1", "module-12s", "weld", ("weld_busbars",), "point 7 of 24", (), (), False, 1),
            PartView(
                "job-1-0009",
                "job-1",
                "module-12s",
                "load",
                (),
                "",
                ("place_module: waits for eol.measure(time=2,voltage=500)",),
                (),
                False,
                2,
            ),
        ),
        "stations": (
            StationView("load", "Load", "job-1-0009"),
            StationView("weld", "Weld", "job-1-0008"),
            StationView("test", "Test", ""),
        ),
        "devices": tuple(DeviceView(name, "connected", "", f"{name} 1.0", name != "meter", True) for name in DEVICES),
        "alarms": (),
        "hidden_alarms": (),
        "flood": False,
        "questions": (),
        "changeover": None,
    }
    return View(**{**fields, **changes})  # type: ignore[arg-type]


def asked(identity: str, kind: str, text: str, choices: tuple[str, ...], *sensors: SensorView) -> QuestionView:
    return QuestionView(identity, kind, text, choices, "job-1-0008", "weld", {}, sensors)


def in_doubt() -> View:
    """A cell that asks what became of a pulse."""
    sensors = SensorView("robot.holds_part", False, True, ""), SensorView("robot.force", 2.5, None, "N")
    question = asked("job-1-0008/pick#1?", "in_doubt", "pick: in doubt", ("done", "redo", "scrap"), *sensors)
    why = (Cause("question", question.id, question.text, "Choose: done, redo, scrap"),)
    return producing(why=why, questions=(question,))


def held() -> View:
    """A cell with an alarm, a lost device, a question, and a reason for each."""
    question = asked("job-1-0008/weld#1", "weak_weld", "weld_busbars: weak weld", ("retry", "skip", "scrap"))
    devices = tuple(
        DeviceView(
            name, "lost" if name == "laser" else "connected", "no answer" if name == "laser" else "", "", True, True
        )
        for name in DEVICES
    )
    return producing(
        state="Held",
        state_number=11,
        commands=("stop", "abort", "complete"),
        refusals={"unhold": "Unhold is not possible: laser is not connected: no answer"},
        why=(
            Cause("link", "laser", "laser is not connected: no answer", "Check its power and its cable."),
            Cause("question", question.id, question.text, "Choose: retry, skip, scrap"),
            Cause("state", "Held", "The cell is Held", "Unhold."),
        ),
        questions=(question,),
        alarms=(Alarm("window_dirty", "medium", "The laser window is dirty", "Clean the window (card W-3).", 5),),
        devices=devices,
    )


def changing_over() -> View:
    """A stopped cell in the middle of a changeover."""
    steps = (
        StepView("do", "Bring clamp plate F-8S to the cell.", "tick", True, "done"),
        StepView("do", "Fit clamp plate F-8S.", "scan F-8S", False, "active"),
        StepView("download", "Download and read back every value", "", False, "open"),
    )
    downloads = (DownloadView("points", "plc.recipe_points", 16, None, "", "writing"),)
    return producing(
        state="Stopped",
        state_number=2,
        commands=("reset", "abort"),
        recipe=None,
        parts=(),
        changeover=ChangeoverView("module-8s", 1, False, "", steps, downloads),
    )


async def until(check: Callable[[], Awaitable[bool]], limit_s: float = 5) -> None:
    """Wait for what comes a moment later."""
    end = time.monotonic() + limit_s
    while not await check():
        assert time.monotonic() < end, "it did not come"
        await asyncio.sleep(0.02)


class FakeControl:
    """Serves the link in `folder` until `stop`; may be started again. `answer` decides what requests get."""

    def __init__(self, folder: Path) -> None:
        self.view = producing()
        self.signals = {
            "plc.air_pressure": Sample("plc.air_pressure", 6.1, Quality.GOOD, 10, 20),
            "laser.power": Sample("laser.power", None, Quality.BAD, 10, 20, "no value yet"),
        }
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Receipt | Refused] = lambda request: Receipt(request.id, "Holding")
        self.silent = False
        self._path = folder / "control.sock"
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> "FakeControl":
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            client.cancel()
        if self._clients:
            await asyncio.wait(self._clients)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "submit" in message:
                    request = decode_request(message["submit"])
                    self.requests.append(request)
                    writer.write(encode_line(encode_answer(self.answer(request))))
                else:
                    await self._tell(writer, for_ever="watch" in message)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._clients.discard(task)
            writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _tell(self, writer: asyncio.StreamWriter, *, for_ever: bool) -> None:
        while True:
            signals = {name: encode_sample(sample) for name, sample in self.signals.items()}
            if not self.silent:
                writer.write(encode_line({"view": asdict(self.view), "signals": signals}))
            await writer.drain()
            if not for_ever:
                return
            await asyncio.sleep(TOLD_EVERY_S)
