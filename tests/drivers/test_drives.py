"""The bundled frequency inverters end to end: a cell that drives a belt with each of them, over its wire.

The rule kept here: what a command waits for is what the simulated device then shows, and nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cellctl.testing import CellOnBench, Setup, VirtualLoop, cell_model, on_bench

CELL = """
cellctl: 1
cell: {{id: belt, name: Belt}}
devices: {{drive: {{profile: {profile}, at: "modbus+rtu:/dev/ttyUSB0?{line}&unit=1"}}}}
stations: {{belt: {{uses: [drive]}}}}
"""
PHASE = """
from cellctl import phase


@phase(station="belt")
async def there_and_back(c):
    \"\"\"Move the belt there and back.\"\"\"
    await c.drive.stop()
    await c.drive.speed.set({speed})
    async with c.safe(c.drive.stop):
        await c.drive.run_forward()
        await c.until("{forward}", timeout="10 s")
        await c.drive.run_reverse()
        await c.until("{reverse}", timeout="10 s")
    await c.drive.stop()
    await c.until("drive.actual_speed == 0 {unit} and not drive.running", timeout="10 s")


@phase(station="belt")
async def mend(c):
    \"\"\"Run, wait for the fault, and clear it.\"\"\"
    await c.drive.stop()
    await c.drive.speed.set({speed})
    await c.drive.run_forward()
    await c.until("drive.faulted", timeout="10 s")
    await c.drive.reset_fault()
    await c.until("not drive.faulted and not drive.running", timeout="10 s")
"""
RECIPE = """
cellctl: 1
recipe: {{id: {phase}, version: "1", product: P, cell: belt, ideal_cycle: 10 s}}
procedure: [{phase}: {{}}]
"""
#: Profile: the line; the speed to set and its unit; what shows that it is reached, forward and in reverse.
DELTA = ("drive.actual_speed == 40 Hz and drive.direction == 0", "drive.actual_speed == 40 Hz and drive.direction == 3")
ALTIVAR = ("drive.actual_speed == 1200 rpm", "drive.actual_speed == -1200 rpm")
DRIVES = {
    "delta.vfd-e": ("baud=9600", 40, "Hz", DELTA),
    "delta.vfd-el": ("baud=9600", 40, "Hz", DELTA),
    "delta.ms300": ("baud=9600", 40, "Hz", ("drive.rotation == 1200 rpm", DELTA[1])),
    "siemens.v20": ("baud=9600&parity=E", 50, "%", ("drive.actual_speed == 50 %", "drive.actual_speed == -50 %")),
    "schneider.atv12": ("baud=19200&parity=E", 1200, "rpm", ALTIVAR),
    "schneider.atv320": ("baud=19200&parity=E", 1200, "rpm", ALTIVAR),
}
ALL = pytest.mark.parametrize("profile", DRIVES)


def _on_belt(folder: Path, profile: str, test: Callable[[CellOnBench], Awaitable[None]]) -> None:
    """Do something with a cell that has nothing but this drive, in virtual time."""
    line, speed, unit, (forward, reverse) = DRIVES[profile]
    files = {
        "cell.yaml": CELL.format(profile=profile, line=line),
        "phases/belt.py": PHASE.format(speed=speed, unit=unit, forward=forward, reverse=reverse),
        **{f"recipes/{phase}.yaml": RECIPE.format(phase=phase) for phase in ("there_and_back", "mend")},
    }
    for name, text in files.items():
        (folder / "belt" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "belt" / name).write_text(text)

    async def run() -> None:
        async with on_bench(Setup(cell_model(folder / "belt"), folder, level="wire")) as cell:
            await test(cell)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(run())


@ALL
def test_the_belt_goes_there_and_back(tmp_path: Path, profile: str) -> None:
    async def test(cell: CellOnBench) -> None:
        job = await cell.produce("there_and_back", quantity=1)
        await cell.clock.until(job.done, limit="2 min")
        assert (job.good, job.reject) == (1, 0)
        assert cell.world.get("drive.speed") == 0
        cell.assert_order("drive.stop", "drive.run_forward", "drive.run_reverse", "drive.stop")

    _on_belt(tmp_path, profile, test)


@ALL
def test_a_stop_of_the_cell_stops_the_belt(tmp_path: Path, profile: str) -> None:
    async def test(cell: CellOnBench) -> None:
        await cell.produce("there_and_back", quantity=1)
        await cell.clock.until("drive.running", limit="1 min")
        cell.operator.press("abort")
        await cell.clock.until("not drive.running", limit="10 s")
        await cell.clock.advance("10 s")
        assert cell.world.get("drive.speed") == 0

    _on_belt(tmp_path, profile, test)


@ALL
def test_a_fault_of_the_drive_is_cleared_and_nothing_runs_by_itself(tmp_path: Path, profile: str) -> None:
    async def test(cell: CellOnBench) -> None:
        job = await cell.produce("mend", quantity=1)
        await cell.clock.until("drive.running", limit="1 min")
        await cell.clock.advance("1 s")
        cell.bench.simulation.set("drive.fault", 16)
        cell.bench.simulation.set("drive.fault", 0)
        await cell.clock.until(job.done, limit="1 min")
        assert (job.good, job.reject) == (1, 0)
        await cell.clock.advance("10 s")
        assert cell.world.get("drive.speed") == 0

    _on_belt(tmp_path, profile, test)


def test_a_v20_that_loses_its_cell_stops_by_itself(tmp_path: Path) -> None:
    async def test(cell: CellOnBench) -> None:
        await cell.produce("there_and_back", quantity=1)
        await cell.clock.until("drive.running", limit="1 min")
        await cell.bench.simulation.stop_server("drive")
        await cell.clock.advance("3 s")
        assert (cell.world.get("drive.speed"), cell.world.get("drive.trip")) == (0, 72)

    _on_belt(tmp_path, "siemens.v20", test)
