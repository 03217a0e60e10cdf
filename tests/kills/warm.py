"""A warm parent of control: it has read the files and loaded all code, and forks a control whenever it is told to.

    python -m tests.kills.warm STATE SIMULATION        `run` starts one, and says its pid; `wait` says how it ended

The rule kept here: no loop, no thread and no open journal before the fork, so that what is forked is a new process in
all that counts; and what is killed is that process, by the kernel.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from cellctl.cli.run import _attached
from cellctl.model import CellModel, driver_for, find_cell, load
from cellctl.runtime import control


def main() -> None:
    """Until standard input ends."""
    state = Path(sys.argv[1])
    with Path(sys.argv[2]).open() as file:
        told = _attached(file, None)
    assert told is not None
    ids = [one["id"] for one in told["devices"]]
    model = load(find_cell("battery-module")).revealed(state, ids)
    model = model.simulated({one["id"]: one["at"] for one in told["devices"]})
    for device in model.devices.values():
        driver_for(device.protocol)
    pid = 0
    print("warm", flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            pid = os.fork()
            if pid == 0:
                _live(model, state)
            print(pid, flush=True)
        else:
            print(os.waitpid(pid, 0)[1], flush=True)


def _live(model: CellModel, state: Path) -> None:
    """Be control, and never come back."""
    code = 1
    with suppress(BaseException), (state / "control.log").open("a") as log:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        control.run(model, control.Run(state), log=log)
        code = 0
    os._exit(code)


if __name__ == "__main__":
    main()
