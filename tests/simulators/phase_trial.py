"""A cell of a single device and one phase that works it: bundled profile, real driver, real protocol, simulated device.

The rule kept here: everything between the phase and the model is what a cell has; only clock and network are virtual.
"""

import asyncio
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from cellctl.core.signal import Value
from cellctl.gateway.parts import Parts
from cellctl.testing import Setup, VirtualLoop, cell_model, on_bench, wall_clock
from cellctl.testing.bench import Level

CELL = """\
cellctl: 1
cell: {{id: trial, name: Trial}}
devices: {{dev: {{profile: {profile}, at: "{at}", set: {{{settings}}}}}}}
stations: {{place: {{uses: [dev]}}}}
"""
RECIPE = 'cellctl: 1\nrecipe: {id: trial, version: "1"}\nprocedure: [work: {}]\n'
PHASE = '''\
"""What is tried."""

from cellctl import PhaseFault, phase


@phase(station="place")
async def work(c):
    """Work the device."""
'''


#: What happens to the device, and how long after the last of it.
Happenings = Sequence[tuple[str, Mapping[str, Value]]]


def trial(
    folder: Path,
    profile: str,
    at: str,
    body: str,
    inputs: Mapping[str, Value] = {},
    settings: str = "",
    happens: Happenings = (),
) -> tuple[dict[str, Value], Mapping[str, Value]]:
    """Let the phase `body` work the device `c.dev`: what it recorded, and the outputs of the device's model.

    `inputs` of the model are set before, and later as it `happens`; `settings` are laid over those of the profile. The
    phase must come to its end within a minute. It is worked a second time, without a wire, and must record the same.
    """
    for name, text in {
        "cell.yaml": CELL.format(profile=profile, at=at, settings=settings),
        "recipes/trial.yaml": RECIPE,
        "phases/work.py": PHASE + textwrap.indent(textwrap.dedent(body).strip(), "    ") + "\n",
    }.items():
        path = folder / "cell" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, wall_clock(_loop(runner)):
        told, outputs = runner.run(_played(folder, "wire", [("0 s", inputs), *happens]))
        assert runner.run(_played(folder, "direct", [("0 s", inputs), *happens]))[0] == told
    return told, outputs


def _loop(runner: asyncio.Runner) -> VirtualLoop:
    loop = runner.get_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


async def _played(folder: Path, level: Level, happens: Happenings) -> tuple[dict[str, Value], Mapping[str, Value]]:
    state = folder / level
    state.mkdir()
    async with on_bench(Setup(cell_model(folder / "cell"), state, level)) as cell:
        for name, value in happens[0][1].items():
            cell.world.set(f"dev.{name}", value)
        await cell.clock.advance("2 s")  # so that all of them are read
        job = await cell.produce("trial", 1)
        for after, inputs in happens[1:]:
            await cell.clock.advance(after)
            for name, value in inputs.items():
                cell.world.set(f"dev.{name}", value)
        await cell.clock.until(job.done, limit="1 min")
        await cell.clock.advance("100 ms")
        cell.bench.flush()
        part = Parts(state).find(job.parts[0])
        assert part is not None
        told = {record["name"]: record["value"] for record in part["records"]}
        outputs = cell.bench.simulation.world.outputs
        return told, {name.partition(".")[2]: value for name, value in outputs.items()}
