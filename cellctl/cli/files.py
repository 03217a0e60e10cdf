"""What the files say, without a running cell: check, explain, schema; and the diagram of the state machine."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cellctl.cli.terminal import INVALID, Failure, document, paint, say, visible

if TYPE_CHECKING:
    from cellctl.model import Problem

FORMATS = ("human", "json", "sarif", "github")


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="human", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def check(path: Path | None, strict: bool, form: str, as_json: bool) -> int:
    """Check all files of the cell at PATH (here, if left out): no network, every error at once. Exit 3 if any."""
    from cellctl import model

    problems = model.check(path or Path()).problems
    PRINTED["json" if as_json else form](problems)
    return INVALID if any(strict or problem.severity == "error" for problem in problems) else 0


@click.command()
@click.argument("code")
def explain(code: str) -> None:
    """Say what CODE (such as E131) means, with a wrong and a right example."""
    from cellctl.model.codes import explain as page

    try:
        click.echo(page(code))
    except KeyError as error:
        raise Failure(f"There is no code {code!r}.") from error


@click.command()
@click.argument("kind", type=click.Choice(("cell", "profile", "recipe")))
def schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of file, for the editor."""
    from cellctl.model.shapes import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2, ensure_ascii=False))


@click.command()
def diagram() -> None:
    """Print the PackML state machine, drawn from the tables that it runs on, as a Mermaid diagram."""
    from cellctl.cli.diagram import mermaid

    click.echo(mermaid())


@click.command()
def version() -> None:
    """Print the version of cellctl."""
    import cellctl

    click.echo(cellctl.__version__)


def tell(problems: "Sequence[Problem]") -> None:
    """One line for each problem, and how many there are."""
    for one in problems:
        code = paint(one.code, "red" if one.severity == "error" else "yellow")
        message = one.message.rstrip(".")
        hint = f" {_sentence(one.hint)}" if one.hint else ""
        click.echo(f"{visible(f'{one.file}:{one.line}:{one.column}:')} {code} {visible(f'{message}.{hint}')}")
    errors = sum(one.severity == "error" for one in problems)
    warnings = len(problems) - errors
    say(f"{_many(errors, 'error')}, {_many(warnings, 'warning')}." if problems else "No problem was found.")


def _json(problems: "Sequence[Problem]") -> None:
    document("cellctl.check/1", {"problems": [asdict(one) for one in problems]})


def _github(problems: "Sequence[Problem]") -> None:
    """Workflow commands that a forge shows beside the lines."""
    for one in problems:
        text = f"{one.message}. {_sentence(one.hint)}" if one.hint else one.message
        text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        click.echo(f"::{one.severity} file={one.file},line={one.line},col={one.column},title={one.code}::{text}")


def _sarif(problems: "Sequence[Problem]") -> None:
    """The static analysis results interchange format, 2.1.0."""
    import cellctl

    driver = {"name": "cellctl", "version": cellctl.__version__, "rules": [{"id": c} for c in _codes(problems)]}
    run = {"tool": {"driver": driver}, "results": [_result(one) for one in problems]}
    click.echo(json.dumps({"version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False))


def _codes(problems: "Sequence[Problem]") -> list[str]:
    return sorted({one.code for one in problems})


def _result(one: "Problem") -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": Path(one.file).as_posix()},
        "region": {"startLine": one.line, "startColumn": one.column},
    }
    text = f"{one.message}. {_sentence(one.hint)}" if one.hint else one.message
    locations = [{"physicalLocation": place}]
    return {"ruleId": one.code, "level": one.severity, "message": {"text": text}, "locations": locations}


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _sentence(hint: str) -> str:
    return f"{hint[:1].upper()}{hint[1:].rstrip('.')}" + ("" if hint.endswith(("?", "!")) else ".")


PRINTED = {"human": tell, "json": _json, "sarif": _sarif, "github": _github}
