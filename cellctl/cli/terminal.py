"""What the terminal sees: exit codes, sentences, tables, and one JSON document.

The rule kept here: results on stdout, everything else on stderr; colour only on a terminal and never with NO_COLOR.
What a device or a file says moves no cursor: what cannot be printed is shown as an escape.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

FAILED, USAGE, INVALID, UNREACHABLE, REFUSED, UNVERIFIED, INTERRUPTED = 1, 2, 3, 4, 5, 7, 130


class Failure(Exception):  # noqa: N818 - it is what the command came to, not a fault of the program
    """A sentence for a person, the technical detail below it, and the exit code."""

    def __init__(self, sentence: str, code: int = FAILED, detail: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.detail = detail

    def show(self) -> None:
        """Print both layers on stderr."""
        click.echo(paint(_lines(str(self)), "red"), err=True)
        if self.detail:
            click.echo(f"  {_lines(self.detail)}", err=True)


def document(schema: str, content: Mapping[str, object]) -> None:
    """Print the one JSON document of a command, under its schema name."""
    lines = json.dumps({"schema": schema, **content}, indent=2, ensure_ascii=False).split("\n")
    # what is left of it now is within a text, where JSON has escapes for it
    click.echo("\n".join(line if line.isprintable() else _json_escaped(line) for line in lines))


def say(text: str) -> None:
    """Tell about progress, in one line."""
    click.echo(visible(text), err=True)


def visible(text: str) -> str:
    """One line that shows what would move the cursor, change colours or turn the direction of reading as an escape."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def printable(told: Any) -> Any:
    """The same data with every text as `visible` shows it: texts in it may come from devices, files or other people."""
    match told:
        case str():
            return visible(told)
        case dict():
            return {key: printable(each) for key, each in told.items()}
        case list() | tuple():
            return [printable(each) for each in told]
        case _:
            return told


def _lines(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))


def _json_escaped(line: str) -> str:
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)


def sentence(text: str) -> str:
    """The text with its full stop, if nothing ends it yet; none after a command that is there to be typed."""
    whole = text.endswith((".", "?", "!")) or "type: " in text.rpartition(". ")[2]
    return text if whole else f"{text}."


def paint(text: str, colour: str, *, bold: bool = False) -> str:
    """`text` in a colour where a person would see it as one."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty() or not sys.stderr.isatty():
        return text
    return click.style(text, fg=colour, bold=bold)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns that are as wide as their content."""
    texts = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    widths = [max([len(title), *(len(row[at]) for row in texts)]) for at, title in enumerate(head)]
    for row in [[title.upper() for title in head], *texts]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def clock(time_ns: int) -> str:
    """A time of the journal as local wall time, to the millisecond."""
    return datetime.fromtimestamp(time_ns / 1e9, tz=UTC).astimezone().isoformat(sep=" ", timespec="milliseconds")[:23]


def number(value: object, unit: str = "") -> str:
    """A value as people read it: six digits are enough, yes and no are words."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g} {unit}".rstrip()
        case _:
            return f"{value} {unit}".rstrip()
