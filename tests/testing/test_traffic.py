"""The traffic of devices: recorded over the wires of a test, kept in a file, replayed in the place of the devices."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from cellctl.core.messages import Effect, Input, Samples
from cellctl.core.signal import Sample
from cellctl.faults import FaultError
from cellctl.testing import Bench, CellOnBench, Setup, UnknownName, VirtualLoop, cell_model, wall_clock
from cellctl.testing.traffic.field import NeverRecorded, NoWire
from cellctl.testing.traffic.recording import Recording, TrafficError, read_recording
from cellctl.testing.watch import Watcher

WIRE = pytest.mark.cell("battery-module", recipe="module-8s", state="Idle", wire=True)

#: The devices of the bundled cell that can be replayed: a line over a serial port and over TCP, Modbus TCP and RTU.
REPLAYED = ("laser", "eol", "robot", "meter", "grip")


class Heard(Watcher):
    """The samples that drivers bring, by device."""

    def __init__(self) -> None:
        self.samples: defaultdict[str, list[Sample]] = defaultdict(list)

    def turn(self, now: int, inputs: Sequence[Input], effects: Sequence[Effect]) -> None:
        for item in inputs:
            if isinstance(item, Samples):
                for sample in item.samples:
                    self.samples[sample.signal.partition(".")[0]].append(sample)


Scenario = Callable[[CellOnBench], Awaitable[None]]


def play(folder: Path, scenario: Scenario, replays: Mapping[str, Path] = {}) -> Heard:
    """The bundled cell over its wires, from its first moment to its last."""
    loop, heard = VirtualLoop(), Heard()
    folder.mkdir()
    setup = Setup(cell_model("battery-module"), folder, "wire", tapped=True, replays=replays)

    async def scene() -> None:
        with wall_clock(loop):
            async with Bench(setup, [heard]) as bench:
                await scenario(CellOnBench(bench))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(scene())
    return heard


async def one_module(cell: CellOnBench) -> None:
    await cell.change_over("module-8s")
    job = await cell.produce("module-8s", 1)
    await cell.clock.until(job.done, limit="5 min")
    assert job.good == 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Heard]:
    """A folder with a recording of every device while one module was made, and what its drivers brought."""
    folder = tmp_path_factory.mktemp("recorded")

    async def scenario(cell: CellOnBench) -> None:
        await one_module(cell)
        for device in cell.bench.setup.model.devices:
            cell.field.record(device).save(folder / f"{device}.traffic")

    return folder, play(folder / "state", scenario)


# --- a whole cell ---------------------------------------------------------------------------------------------------


def test_a_cell_on_recordings_sees_what_it_saw_when_they_were_made(
    recorded: tuple[Path, Heard], tmp_path: Path
) -> None:
    folder, before = recorded
    again: dict[str, Recording] = {}

    async def scenario(cell: CellOnBench) -> None:
        await one_module(cell)
        again.update({device: cell.field.record(device).recording for device in REPLAYED})

    now = play(tmp_path / "state", scenario, {device: folder / f"{device}.traffic" for device in REPLAYED})
    for device in REPLAYED:
        recording = read_recording(folder / f"{device}.traffic")
        assert recording.notes == ()
        assert list(again[device].entries) == recording.entries, "the same bytes at the same times"
        count = len(before.samples[device])
        assert count > 20
        assert now.samples[device][:count] == before.samples[device]


def test_a_recording_in_the_place_of_a_running_device(recorded: tuple[Path, Heard], tmp_path: Path) -> None:
    folder, _ = recorded

    async def scenario(cell: CellOnBench) -> None:
        replay = await cell.field.replay("meter", folder / "meter.traffic")
        await cell.clock.until(lambda: not cell.connected("meter"), limit="5 s")
        await cell.clock.until(lambda: cell.connected("meter"), limit="5 s")
        assert not replay.ended
        await cell.clock.advance("1 min")
        assert cell.connected("meter"), "what was recorded last is told for ever"
        assert replay.ended

    play(tmp_path / "state", scenario)


def test_what_follows_an_order_waits_for_the_order(recorded: tuple[Path, Heard], tmp_path: Path) -> None:
    folder, _ = recorded

    async def scenario(cell: CellOnBench) -> None:
        laser = await cell.field.replay("laser", folder / "laser.traffic")
        await cell.clock.until(lambda: not cell.connected("laser"), limit="5 s")
        await cell.clock.advance("20 s")
        assert cell.signal("laser.last_token").value == 0, "nothing was fired yet"
        assert laser.waits_for.startswith("'PWR "), "the first that the recipe ordered"
        assert f"laser is {folder / 'laser.traffic'}, which waits for 'PWR " in cell.bench.told()
        with pytest.raises(FaultError, match="laser is a recording"):
            cell.faults.no_reply("laser", for_="1 s")

    play(tmp_path / "state", scenario)


def test_a_request_that_was_never_recorded_fails_the_test_and_is_named(
    recorded: tuple[Path, Heard], tmp_path: Path
) -> None:
    folder, _ = recorded

    async def scenario(cell: CellOnBench) -> None:
        with pytest.raises(NeverRecorded, match=r"laser was asked 'PWR 1450\\r\\n', .* The nearest is 'PWR \d+\\r\\n'"):
            await cell.change_over("module-12s")

    play(tmp_path / "state", scenario, {"laser": folder / "laser.traffic"})


@pytest.mark.cell("battery-module")
async def test_without_a_wire_there_is_nothing_to_record(cell, field, tmp_path):
    with pytest.raises(NoWire, match="wire=True"):
        field.record("laser")
    with pytest.raises(NoWire, match="wire=True"):
        await field.replay("laser", tmp_path / "none.traffic")


@WIRE
async def test_a_device_that_there_is_not_is_told_with_what_was_meant(cell, field, recorded):
    folder, _ = recorded
    with pytest.raises(UnknownName, match="'laser'"):
        field.record("lasser")
    with pytest.raises(UnknownName, match="'laser'"):
        await field.replay("lasser", folder / "laser.traffic")
    with pytest.raises(TrafficError, match=r"is of a device at serial: \(serial\), but robot is at modbus: \(modbus\)"):
        await field.replay("robot", folder / "laser.traffic")
    with pytest.raises(TrafficError, match="can be read, not replayed"):
        await field.replay("plc", folder / "plc.traffic")
    assert cell.connected("laser"), "nothing was done"
    assert cell.connected("robot")


@pytest.mark.cell("battery-module", wire=True, replay={"meter": "meter.traffic"})
async def test_a_recording_can_be_kept_beside_the_test(cell, clock):
    """The last answer in the file was changed by hand: 253 V, which no simulated meter tells."""
    await clock.until("meter.voltage_l1 == 253 V", limit="5 s")
    await clock.advance("1 min")
    assert cell.connected("meter")


def test_the_fixture_writes_its_file_when_the_test_is_over(tmp_path: Path) -> None:
    (tmp_path / "test_meter.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.cell('battery-module', wire=True)\n"
        "async def test_meter(clock, field):\n"
        "    field.record('meter', 'meter.traffic')\n"
        "    await clock.advance('5 s')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_meter.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    recording = read_recording(tmp_path / "meter.traffic")
    head = recording.head
    assert (head.device, head.profile, head.address, head.simulated) == ("meter", "eastron.sdm630", "modbus", True)
    assert recording.entries[-1].at_ns > 4_000_000_000
