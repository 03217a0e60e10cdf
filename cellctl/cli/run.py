"""Run a cell (`run`), or only the simulated devices of one (`sim`)."""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import IO, TYPE_CHECKING, Any

import click

from cellctl.cli.io_lease import doubtful_leases
from cellctl.cli.terminal import INVALID, UNREACHABLE, Failure, say, table
from cellctl.cli.traffic import DeviceFile, Files, field

if TYPE_CHECKING:
    from cellctl.model import CellModel, Checked, Problem, Simulators
    from cellctl.runtime.children import Child

SPEED = click.FloatRange(0.01, 100)


class Listen(click.ParamType[str]):
    """Where to listen: HOST:PORT of this computer, or off."""

    name = "host:port"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value itself; a usage error if nobody can listen there."""
        from cellctl.gateway.address import BindError, parsed

        try:
            if value != "off":
                parsed(value)
        except BindError as error:
            self.fail(str(error), param, ctx)
        return value


#: The file in the state folder that tells where the simulated devices of a running cell listen.
SIMULATION = "simulation.json"

#: How long the simulated devices may take until all of them listen: the OPC UA server needs some seconds.
SIM_START_S = 60

#: From the request to end to the kill.
SIM_END_S = 5


@click.command()
@click.argument("cell", default=".")
@click.option("--sim", metavar="all|DEV,..", help="Simulate all devices, or these.")
@click.option("--sim-at", type=click.File(), metavar="FILE", help="Simulated devices that run: what 'sim --json' said.")
@click.option("--speed", type=SPEED, default=1.0, show_default=True, help="How fast simulated time goes.")
@click.option("--state", type=click.Path(path_type=Path), help="The state folder  [default: .cellctl beside the cell]")
@click.option("--discard", is_flag=True, help="The parts in process were taken out by hand: count them as scrap.")
@click.option(
    "--record", type=DeviceFile(), multiple=True, metavar="DEV=FILE", help="Record the raw traffic of a device."
)
@click.option(
    "--replay", type=DeviceFile(), multiple=True, metavar="DEV=FILE", help="Put a recording in the place of a device."
)
@click.option(
    "--http", type=Listen(), default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT|off", help="Page and API."
)
def run(cell: str, state: Path | None, http: str, record: Files, replay: Files, **how: Any) -> None:
    """Run CELL (a folder, or the name of a bundled cell) until Ctrl-C.

    The log goes to stderr, or into the state folder if that is a terminal.
    """
    sim, attached = how["sim"], _attached(how["sim_at"], how["sim"])
    from cellctl.model import checking

    outcome = checking(cell)  # before what this process needs itself: the child reads the files meanwhile
    from cellctl.cli.places import state_beside
    from cellctl.records import RecordsError
    from cellctl.runtime import control
    from cellctl.runtime.archive import KEEP_NS
    from cellctl.runtime.beginning import PARTS, RECIPE, MisfitError
    from cellctl.runtime.folder import StateError
    from cellctl.runtime.journal import JournalError

    state = state or state_beside(cell)
    model = _usable(outcome())
    if sim == "all":
        _none_is_real(model, dict(replay))
    simulated_ids = [id for id in chosen_devices(sim, model) if id not in dict(replay)]
    if attached is not None:
        simulated_ids = chosen_devices(",".join(one["id"] for one in attached["devices"]), model)
    _free(state)
    children, url = _gateway(state, http)
    trial = None
    with ExitStack() as stack:
        doubts = stack.enter_context(_doubts(model, state, simulated_ids))
        devices = stack.enter_context(field(model, simulated_ids, record=record, replay=replay))
        model = _revealed(devices.model, state, [*simulated_ids, *dict(replay)])
        gone = [PARTS] if how["discard"] else []
        told = attached
        if simulated_ids and told is None:
            say("Starting the simulated devices ...")
            told = stack.enter_context(simulators(model.folder, simulated_ids, how["speed"]))
            gone = [PARTS, RECIPE]  # they begin anew: nothing is in them
        if told is not None:
            from cellctl.testing.trial import Trial

            model = model.simulated({one["id"]: one["at"] for one in told["devices"]})
            trial = Trial(Path(told["control"]), [id for id, one in model.devices.items() if not one.simulated])
        name = f"{model.equipment.name} ({model.equipment.id})"
        log = stack.enter_context(_log(state)) if sys.stderr.isatty() else sys.stderr

        def ready() -> None:  # the state folder is ours now
            if told is not None:
                stack.enter_context(_known(told, state))
            click.echo(f"{name} runs{f' on {url}' if url else ''}")
            for warning in doubts():
                say(warning)

        try:
            run = control.Run(state, children, trial, devices.beside, devices.drivers, gone, model.keep_ns or KEEP_NS)
            control.run(model, run, ready=ready, log=log)
        except (StateError, JournalError, RecordsError, MisfitError) as error:
            raise Failure(str(error)) from error


@click.command()
@click.argument("cell", default=".")
@click.option("--devices", metavar="DEV,..", help="Only these devices.")
@click.option("--ports", is_flag=True, help="Print where each device listens.")
@click.option("--json", "as_json", is_flag=True, help="Print it as one line of JSON.")
@click.option("--speed", type=SPEED, default=1.0, show_default=True, help="How fast simulated time goes.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of everything that is random.")
def sim(cell: str, devices: str | None, ports: bool, as_json: bool, **pace: Any) -> None:
    """Run only the simulated devices of CELL, on real ports of this computer, until Ctrl-C."""
    folder, model = checked(cell)
    chosen = chosen_devices(devices or "all", model)

    def announce(told: dict[str, Any]) -> None:
        if as_json:
            click.echo(json.dumps(told))
        elif ports:
            head = ("device", "protocol", "at")
            table(head, [(one["id"], one["protocol"], one["at"]) for one in told["devices"]])
        sys.stdout.flush()
        if not as_json:
            say(f"{len(told['devices'])} devices are simulated. Ctrl-C ends them.")

    import asyncio

    serve = _simulators().serve
    try:
        asyncio.run(_until_told(serve(folder, devices=chosen, announce=announce, **pace)))
    except asyncio.CancelledError:
        return
    except Exception as error:
        if place := _in_models(error, folder):
            raise Failure(f"{place}: {type(error).__name__}: {error}", INVALID) from error
        raise


def checked(cell: str) -> tuple[Path, "CellModel"]:
    """The folder and the model of a cell; else its problems are printed and the command ends with INVALID."""
    from cellctl.model import check

    model = _usable(check(cell))
    return model.folder, model


@contextmanager
def simulators(folder: Path, devices: Sequence[str], speed: float) -> Iterator[dict[str, Any]]:
    """The simulated devices as a child process, and what it announced. It ends with this process, however it ends."""
    from cellctl.runtime.children import tie_to

    parent = os.getpid()
    argv = [sys.executable, "-m", "cellctl.cli", "sim", str(folder), "--json", "--speed", str(speed)]
    process = subprocess.Popen(
        [*argv, "--devices", ",".join(devices)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends its children in order
        preexec_fn=lambda: tie_to(parent),
    )
    ending, told = threading.Event(), None
    try:
        told = _announced(process)
        threading.Thread(target=_watch, args=(process, ending), name="simulated devices", daemon=True).start()
        yield told
    finally:
        ending.set()
        end(process, SIM_END_S)
        if told is not None:  # a simulator that was killed leaves its folder behind
            rmtree(Path(told["control"]).parent, ignore_errors=True)


def _watch(process: "subprocess.Popen[bytes]", ending: threading.Event) -> None:
    """Write into the log if the simulated devices end by themselves; nothing else would say why all links are lost."""
    code = process.wait()
    if not ending.is_set():
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        logging.getLogger(__name__).error("The simulated devices have ended: %s. Run the cell anew.", how)


def _in_models(error: BaseException, folder: Path) -> str:
    """File and line of the cell's own models where an error comes from; empty if it comes from elsewhere."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    models = folder.resolve() / "models"
    own = [(name, line) for name, line in frames if Path(name).resolve().is_relative_to(models)]
    return f"models/{Path(own[-1][0]).name}:{own[-1][1]}" if own else ""


@contextmanager
def _known(told: dict[str, Any], state: Path) -> Iterator[None]:
    """Where the simulated devices listen, in the state folder, for whoever wants to speak to them as well."""
    note = state / SIMULATION
    try:
        note.write_text(json.dumps(told), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)


def end(process: "subprocess.Popen[bytes]", limit_s: float) -> None:
    """Ask a child to end, then make it; nothing of it is left."""
    process.terminate()
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _announced(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """The one line that the simulators print when all of them listen."""
    assert process.stdout is not None
    if not select.select([process.stdout], [], [], SIM_START_S)[0]:
        raise Failure(f"The simulated devices did not start within {SIM_START_S} s.", UNREACHABLE)
    if line := process.stdout.readline():
        told: dict[str, Any] = json.loads(line)
        return told
    code = INVALID if process.wait(SIM_END_S) == INVALID else UNREACHABLE
    raise Failure("The simulated devices cannot be started.", code)


def _usable(found: "Checked") -> "CellModel":
    if found.model is None:
        raise _invalid(found.problems)
    return found.model


def _invalid(problems: "Sequence[Problem]") -> Failure:
    from cellctl.cli.files import tell

    tell(problems)
    return Failure("The files of the cell cannot be used.", INVALID)


def _revealed(model: "CellModel", state: Path, simulated: Sequence[str]) -> "CellModel":
    """The model with its secrets, but for those of simulated devices."""
    from cellctl.model import FilesInvalid

    try:
        return model.revealed(state, simulated)
    except FilesInvalid as invalid:
        raise _invalid(invalid.problems) from invalid


def _none_is_real(model: "CellModel", replayed: Collection[str]) -> None:
    """UsageError if a device has neither a model nor a recording: "all" would leave it the real one."""
    if real := [id for id in model.devices if id not in model.models and id not in replayed]:
        raise click.UsageError(
            f"No model simulates {', '.join(real)}: with --sim all the cell would drive what is real there."
            f" Give the profile a model, or say which devices to simulate: --sim {','.join(model.models) or 'DEV,..'}"
        )


def chosen_devices(names: str | None, model: "CellModel") -> list[str]:
    """The devices to simulate."""
    from cellctl.gateway.told import unknown

    if names is None:
        return []
    if names == "all":
        return list(model.models)
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in model.models:
            raise click.UsageError(unknown("simulated device", name, model.models))
    return chosen


def _attached(file: IO[str] | None, sim: str | None) -> dict[str, Any] | None:
    """What simulated devices that run by themselves have told of them."""
    if file is None:
        return None
    if sim is not None:
        raise click.UsageError("Either --sim or --sim-at: the devices are started, or run already.")
    try:
        told: dict[str, Any] = json.loads(file.readline())
        devices = [{**one, "id": str(one["id"]), "at": str(one["at"])} for one in told["devices"]]
        return {**told, "devices": devices, "control": str(told["control"])}
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"{file.name} is not what 'cellctl sim --json' says: {error!r}.", INVALID) from error


@contextmanager
def _doubts(model: "CellModel", state: Path, simulated: Collection[str]) -> Iterator[Callable[[], list[str]]]:
    """What is to be said of the leases of real devices, found out in a process of its own meanwhile."""
    from cellctl.model.apart import Apart

    watched = [id for id, device in model.devices.items() if device.watchdog is not None and id not in simulated]
    if not watched:
        yield list
        return
    with closing(Apart(partial(doubtful_leases, model, state, watched))) as doubts:
        yield doubts


def _free(state: Path) -> None:
    """Failure if a cell runs on the state folder already: that is told before what follows from it, a busy port."""
    from cellctl.runtime.folder import StateError, claimed

    try:
        with claimed(state):
            pass
    except StateError as error:
        raise Failure(str(error)) from error


def _gateway(state: Path, http: str) -> tuple[list["Child"], str]:
    """The gateway as a child to keep running, and its address; a busy port is told now, not by a child that fails."""
    from cellctl.gateway.address import BindError, bind, url
    from cellctl.runtime.children import Child

    if http == "off":
        return [], ""
    try:
        with bind(http) as listener:
            at = url(listener)
    except BindError as error:
        raise Failure(str(error)) from error
    address = at.removeprefix("http://").removesuffix("/")
    argv = (sys.executable, "-m", "cellctl.gateway", "--state", str(state), "--http", address)
    return [Child("gateway", argv)], at


@contextmanager
def _log(state: Path) -> Iterator[Any]:
    """The file for the log of a cell that runs in a terminal, where lines of JSON would only be in the way."""
    path = state / "control.log"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            say(f"The log is in {path}.")
            yield log
    except OSError as error:
        raise Failure(f"The state folder {state} cannot be written: {error.strerror}.") from error


def _simulators() -> "Simulators":
    from cellctl.model import SimulatorsMissing, simulators

    try:
        return simulators()
    except SimulatorsMissing as error:
        raise Failure(str(error)) from error


async def _until_told(serving: Any) -> None:
    """Run a coroutine until SIGINT or SIGTERM."""
    import asyncio

    task = asyncio.ensure_future(serving)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task
