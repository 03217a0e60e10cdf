"""Let things go wrong on purpose, in a cell that runs on simulated devices: one command for each kind of fault."""

from collections.abc import Mapping
from typing import Any

import click

from cellctl.cli.reach import Reach, reaching
from cellctl.cli.terminal import document, table
from cellctl.faults import CONTROL, DEVICE, KINDS, LINK, NOTHING, FaultError, FaultKind, Option, fault
from cellctl.gateway.told import sentence, unknown

SCHEMA = "cellctl.faults/1"

_OF = {LINK: "On the line", DEVICE: "In a device", CONTROL: "In the controller"}


class Kinds(click.Group):
    """Lists its commands by where the fault is, and says which one was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a usage error that names the nearest if there is none."""
        if not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(unknown("fault", args[0], self.commands))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section for each place."""
        places = {"Look": [name for name in self.commands if name not in KINDS]}
        places |= {text: [name for name, kind in KINDS.items() if kind.of == of] for of, text in _OF.items()}
        for heading, names in places.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(80)) for name in names])


@click.group(cls=Kinds, name="fault")
def fault_group() -> None:
    """Let something go wrong on purpose. Only a cell that runs on simulated devices (run --sim) takes faults."""


@fault_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@reaching
def list_faults(cell: Reach, as_json: bool) -> None:
    """The faults that have begun and not ended."""
    running = cell.faults()
    if as_json:
        document(SCHEMA, {"faults": running})
    elif running:
        table(("number", "fault"), [(one["number"], one["text"]) for one in running])
    else:
        click.echo("Nothing goes wrong on purpose.")


@fault_group.command()
@click.argument("number", type=int, required=False)
@reaching
def end(cell: Reach, number: int | None) -> None:
    """End fault NUMBER; without a number, all."""
    cell.end_fault(number)
    click.echo("No fault is left." if number is None else f"Fault {number} has ended.")


def _command(name: str, kind: FaultKind) -> click.Command:
    def begin(cell: Reach, target: str = "", lasting: str | None = None, **options: Any) -> None:
        given = {option: value for option, value in options.items() if value is not None}
        try:
            made = fault(name, target, lasting, **{key: _value(kind.options[key], text) for key, text in given.items()})
        except FaultError as error:
            raise click.UsageError(sentence(str(error))) from error
        number = cell.begin_fault(made)
        click.echo(f"{number}: {made}" if kind.lasts else str(made))

    begin.__name__, begin.__doc__ = name, kind.text
    command: Any = reaching(begin)
    for option, told in reversed(list(kind.options.items())):
        needed = told.default is None
        default = "" if needed or told.default == "" else f"  [default: {told.default}]"
        text = f"{told.text[:1].upper()}{told.text[1:]}.{default}"
        metavar = "|".join(told.choices) or told.kind.upper()
        command = click.option(f"--{option}", metavar=metavar, help=text, required=needed)(command)
    if kind.lasts:
        command = click.option("--for", "lasting", metavar="DURATION", help="End it by itself after so long.")(command)
    if kind.target != NOTHING:
        command = click.argument("target", metavar=kind.target)(command)
    return click.command(name)(command)


def _value(option: Option, text: str) -> object:
    """What was typed, as the option takes it; a text that is not of that kind is left for the check to name."""
    words: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False}
    if option.kind in ("duration", "choice", "bytes"):
        return text
    if option.kind == "value" and text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


for _name, _kind in KINDS.items():
    fault_group.add_command(_command(_name, _kind))
