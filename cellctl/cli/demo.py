"""The demo: the bundled cell on simulated devices, and an operator who sets it going.

The rule kept here: the demo is `cellctl run` and nothing else. What the operator does here, a person could do on the
page or with the commands; when the demo ends, nothing of it is left.
"""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click

from cellctl.cli.changeover import Answers, guide
from cellctl.cli.reach import DEFAULT_URL, Local
from cellctl.cli.run import SPEED, Listen, end
from cellctl.cli.terminal import Failure, say
from cellctl.core.messages import AddJob, CancelJob, Operate, StartChangeover
from cellctl.core.packml import Command

CELL = "battery-module"
RECIPE = "module-12s"

#: Small jobs, two of them always open: one in work, and one that shows that there is a queue.
JOB_QUANTITY = 20
JOBS_OPEN = 2

#: The name of a job of the demo begins so: only these are ever cancelled by it.
JOB_PREFIX = "demo-"

LOOK_S = 0.5

#: Until the page is served, until all devices are connected, and until a state has come.
START_S, CONNECT_S, STATE_S = 60, 60, 30

#: From the request to end to the kill: control stops the cell, its devices and its gateway in order.
END_S = 20

OPCUA_LATER = "The OPC UA server comes in a later version; --opcua is taken and does nothing yet."


@click.command(epilog=OPCUA_LATER)
@click.option(
    "--http",
    type=Listen(),
    default="127.0.0.1:8080",
    show_default=True,
    metavar="HOST:PORT",
    help="The page and the API.",
)
@click.option("--opcua", metavar="HOST:PORT", help="The OPC UA server (in a later version).")
@click.option("--speed", type=SPEED, default=1.0, show_default=True, help="How fast the simulated devices are.")
@click.option("--state", type=click.Path(path_type=Path), help="Keep what is recorded here  [default: nothing is kept]")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
def demo(http: str, opcua: str | None, speed: float, state: Path | None, no_browser: bool) -> None:
    """Show a simulated cell at work on a web page, until Ctrl-C."""
    if opcua is not None:
        say(OPCUA_LATER)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have started us with SIGINT ignored
        signal.signal(number, _end)
    with _folder(state) as folder, _running(folder, http, speed) as process:
        cell = Local(folder)
        try:
            page = _page(process)
            say(f"The cell's page: {page}")
            if not no_browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
                webbrowser.open(page)
            set_going(cell)
            where = "" if page.rstrip("/") == DEFAULT_URL else f" --url {page.rstrip('/')}"
            say(f"Parts are being made. Try 'cellctl status{where}', 'cellctl hold{where}', 'cellctl unhold{where}'.")
            say("Ctrl-C ends the demo.")
            keep_busy(cell, process)
        except KeyboardInterrupt:
            say("Ending the demo ...")


def set_going(cell: Local) -> None:
    """What an operator does in the morning: wait for the devices, clear, change over, add jobs, reset, start."""
    _until(cell, lambda now: not [one for one in now["devices"] if one["link"] != "connected"], CONNECT_S)
    now = cell.cell()
    if now["state"] == "Aborted":
        cell.submit(Operate(Command.CLEAR))
    now = _until(cell, lambda now: now["state"] in ("Stopped", "Idle", "Execute"), STATE_S)
    if now["state"] == "Execute":
        return
    if now["recipe"] is None:
        say(f"Changeover to {RECIPE}:")
        if now["changeover"] is None or now["changeover"]["done"]:
            cell.submit(StartChangeover(RECIPE))
        guide(cell, Answers(yes=True, evidence=[]))
    _add_jobs(cell)
    if now["state"] == "Stopped":
        cell.submit(Operate(Command.RESET))
        _until(cell, lambda now: now["state"] == "Idle", STATE_S)
    cell.submit(Operate(Command.START))
    _until(cell, lambda now: now["state"] == "Execute", STATE_S)


def keep_busy(cell: Local, process: "subprocess.Popen[bytes]") -> None:
    """Keep jobs in the queue for the recipe that is loaded, for as long as the cell runs."""
    while process.poll() is None:
        time.sleep(LOOK_S)
        try:
            _add_jobs(cell)
        except Failure:
            continue  # what a person does with the cell meanwhile is none of the demo's business
    raise Failure("The cell has ended.")


def _add_jobs(cell: Local) -> None:
    now = cell.cell()
    if now["recipe"] is None:
        return
    recipe = now["recipe"]["id"]
    for job in now["jobs"]:
        if job["recipe"] != recipe and job["id"].startswith(JOB_PREFIX):
            cell.submit(CancelJob(job["id"]))
    for _ in range(JOBS_OPEN - sum(job["recipe"] == recipe for job in now["jobs"])):
        cell.submit(AddJob(f"{JOB_PREFIX}{secrets.token_hex(2)}", recipe, JOB_QUANTITY))


def _until(cell: Local, wanted: Any, limit_s: float) -> dict[str, Any]:
    """The cell as soon as it is as wanted."""
    end_at = time.monotonic() + limit_s
    while not wanted(now := cell.cell()):
        if time.monotonic() > end_at:
            raise Failure(f"The cell does not get ready: {'; '.join(now['waiting']) or now['state']}.")
        time.sleep(LOOK_S / 5)
    return now


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="cellctl-demo-") as name:
        yield Path(name)


@contextmanager
def _running(folder: Path, http: str, speed: float) -> Iterator["subprocess.Popen[bytes]"]:
    """`cellctl run` as a child; its log is in the state folder, and is told if it ends by itself."""
    from cellctl.runtime.children import tie_to

    parent = os.getpid()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = (folder / "control.log").open("wb")
    except OSError as error:
        raise Failure(f"The state folder {folder} cannot be written: {error.strerror}.") from error
    argv = [sys.executable, "-m", "cellctl.cli", "run", CELL, "--sim", "all", "--speed", str(speed)]
    say(f"Starting the cell {CELL} on simulated devices ...")
    with log:
        process = subprocess.Popen(
            [*argv, "--state", str(folder), "--http", http],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends its child in order
            preexec_fn=lambda: tie_to(parent),
        )
    try:
        yield process
    except Failure as failure:
        end(process, END_S)
        told = (folder / "control.log").read_text(errors="replace").splitlines()
        sentences = [line for line in told if not line.startswith("{") and "Starting the simulated" not in line]
        failure.detail = "\n  ".join(filter(None, [failure.detail, *sentences[-10:]]))
        raise
    finally:
        end(process, END_S)


def _page(process: "subprocess.Popen[bytes]") -> str:
    """Where the page is, as soon as it is served."""
    assert process.stdout is not None
    page = process.stdout.readline().decode().rpartition(" ")[2].strip()
    end_at = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end_at:
        try:
            with urlopen(f"{page}api/v1/cell", timeout=1):
                return page
        except (OSError, ValueError):
            time.sleep(LOOK_S / 5)
    raise Failure("The cell cannot be started.")


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt
