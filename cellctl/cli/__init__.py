"""The command line: parse, call, print.

The rule kept here: nothing heavy is imported before a command is chosen, so that `cellctl --help` answers at once.
Each command is named in one table with its file; results go to stdout, progress and errors to stderr, and every
error is a sentence with an exit code of `terminal`.
"""

import os
import sys
from importlib import import_module

import click

from cellctl.cli.terminal import FAILED, INTERRUPTED, Failure

#: heading -> command -> (module, attribute, what it does in one line).
COMMANDS: dict[str, dict[str, tuple[str, str, str]]] = {
    "Begin": {
        "demo": ("demo", "demo", "A simulated cell with its web page."),
        "new": ("new", "new", "Write a commented starter: cell, device, phase, recipe or test."),
        "check": ("files", "check", "Check all files of a cell: no network, every error at once."),
        "explain": ("files", "explain", "Say what an error code means."),
    },
    "Run": {
        "run": ("run", "run", "Run a cell, its web page and its API."),
        "sim": ("run", "sim", "Run only the simulated devices, on real ports."),
        "fault": ("fault", "fault_group", "Let something go wrong on purpose, on simulated devices."),
    },
    "Connect": {
        "scan": ("scan", "scan", "Find devices in a network or at the serial ports."),
        "browse": ("browse", "browse", "Ask a device what it has: variables, registers, lines."),
        "import": ("imports", "import_group", "Make a profile of a list of signals: CSV, NodeSet, CODESYS, Kepware."),
        "cert": ("cert", "cert", "The certificates of devices, and the one of this computer."),
        "io": ("io_group", "io", "Read, write and test the points of one device, with no cell running."),
    },
    "Operate": {
        "status": ("operate", "status", "What the cell is doing."),
        "why": ("operate", "why", "Why the cell is not running, first cause first."),
        "reset": ("operate", "reset", "Stopped or Completed to Idle."),
        "start": ("operate", "start", "Idle to Execute."),
        "stop": ("operate", "stop", "A controlled stop."),
        "hold": ("operate", "hold", "Pause for a cause inside the cell."),
        "unhold": ("operate", "unhold", "Go on after Hold."),
        "suspend": ("operate", "suspend", "Pause for a cause outside the cell."),
        "unsuspend": ("operate", "unsuspend", "Go on after Suspend."),
        "abort": ("operate", "abort", "Stop at once, to the safe side."),
        "clear": ("operate", "clear", "Aborted to Stopped."),
        "complete": ("operate", "complete", "End production in good order."),
        "mode": ("operate", "mode", "Change the unit mode."),
        "recover": ("operate", "recover", "Answer an open question of the cell."),
        "job": ("jobs", "job", "Add, list and cancel jobs."),
        "changeover": ("changeover", "changeover", "Change to another recipe, step by step."),
    },
    "Look up": {
        "recipe": ("recipes", "recipe", "List, show and compare recipes."),
        "parts": ("records", "parts", "The parts made last."),
        "part": ("records", "part", "One part: recipe, values, result."),
        "alarms": ("alarms", "alarms", "Alarms: look, acknowledge, shelve; those of the past."),
        "history": ("records", "history", "The past values of a signal."),
        "journal": ("journal", "journal", "The cell's decisions, newest last; verify and archive them."),
    },
    "Keep": {
        "doctor": ("doctor", "doctor", "What is wrong with this computer and this folder for running a cell."),
        "backup": ("backup", "backup", "The cell's files and all that it wrote, in one file."),
        "restore": ("backup", "restore", "Put what is in a backup into two empty folders."),
        "bundle": ("bundle", "bundle", "What somebody who helps you needs, without secrets and names."),
    },
    "Test": {
        "incident": ("incident", "incident", "What the flight recorder kept: export, replay, make a test of it."),
        "traffic": ("traffic", "traffic", "Show what went over the wire of a device."),
        "fuzz": ("fuzz", "fuzz", "Play random worlds, and see whether all holds that must."),
        "whatif": ("whatif", "whatif", "Play shifts: parts an hour, what limits, what a change brings."),
    },
    "Reference": {
        "schema": ("files", "schema", "The JSON Schema of a kind of file."),
        "diagram": ("files", "diagram", "The PackML state machine as a Mermaid diagram."),
        "version": ("files", "version", "The version of cellctl."),
    },
}


class Lazy(click.Group):
    """A group that imports the file of a command when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return [name for commands in COMMANDS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, or None for an unknown name."""
        for commands in COMMANDS.values():
            if cmd_name in commands:
                module, attribute, _ = commands[cmd_name]
                command = getattr(import_module(f"cellctl.cli.{module}"), attribute)
                assert isinstance(command, click.Command)
                return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a usage error that names the nearest if there is none."""
        from cellctl.gateway.told import unknown

        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(unknown("command", args[0], self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section a heading, from the table alone."""
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl([(name, text) for name, (_, _, text) in commands.items()], col_spacing=3)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cellctl() -> None:
    """The controller of a robotic micro-factory cell. It is not a safety system."""


def main() -> None:
    """The console script: run one command and leave with its exit code."""
    sys.exit(_outcome())


def _outcome() -> int:
    try:
        code = cellctl.main(standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except Failure as failure:
        failure.show()
        return failure.code
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read the output is gone
        return FAILED
    except Exception as bug:
        from cellctl.model.drivers import DriverMissing

        if isinstance(bug, DriverMissing):
            click.echo(f"{str(bug)[:1].upper()}{str(bug)[1:]}.\n  {bug.hint}", err=True)
            return FAILED
        click.echo(f"cellctl made a mistake: {_sentence(bug)}. Please report it.", err=True)
        return FAILED


def _sentence(bug: Exception) -> str:
    frame = bug.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f" ({frame.tb_frame.f_code.co_filename}:{frame.tb_lineno})" if frame is not None else ""
    return f"{type(bug).__name__}: {bug}{where}".replace("\n", " ")
