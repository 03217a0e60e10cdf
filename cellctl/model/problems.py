"""What can be wrong with a file, and where.

The rule kept here: nothing stops at the first mistake. What reads a value raises `Wrong` without knowing the place;
who called it knows the place, and puts both into the `Report`.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file: line and column from 1, a code that `explain` knows, and what would be right.

    `severity` is ``error`` (the cell cannot be run) or ``warning``.
    """

    file: str
    line: int
    column: int
    code: str
    severity: str
    message: str
    hint: str

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity} {self.code}: {self.message}{hint}"


class FilesInvalid(Exception):  # noqa: N818 - what callers are told, in the words of the exit code
    """The files of a cell cannot be used; `problems` says why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Wrong(ValueError):  # noqa: N818 - a mistake in a file, not a failure of the program
    """A value that cannot be used: the code of the mistake, what is wrong, and what would be right."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, line and column from 1; `raw` is the text that stands there, `quoted` if it has quotes."""

    file: Path
    line: int = 1
    column: int = 1
    raw: str = ""
    quoted: bool = False

    def within(self, offset: int) -> "Place":
        """The place `offset` characters into the text that stands here, if it is on the same line."""
        if offset >= len(self.raw) + 1 or "\n" in self.raw[:offset]:
            return self
        return Place(self.file, self.line, self.column + offset + self.quoted, self.raw[offset:])


class Report:
    """The problems found so far, each once. A code that begins with W is a warning.

    `errors` counts how often an error was told, so that a part can see whether anything in it is wrong, even if
    another part that shares a file with it has told so before.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, int, str], Problem] = {}
        self.errors = 0

    def add(self, place: Place, wrong: Wrong) -> None:
        """Note that `wrong` is the matter at `place`."""
        key = (str(place.file), place.line, place.column, wrong.code)
        severity = "warning" if wrong.code.startswith("W") else "error"
        self.errors += severity == "error"
        self._found.setdefault(key, Problem(*key, severity, wrong.message, wrong.hint))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that was found, by file and line."""
        return tuple(self._found[key] for key in sorted(self._found))


#: What to say after a message that lists all words there are.
ONE_OF_THEM = "write one of them"


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint: the nearest of the known words, else `otherwise`, else the list of those that there are."""
    names = [name for name in known if name]
    if near := difflib.get_close_matches(word, names, 1) or [name for name in names if name.lower() == word.lower()]:
        return f"did you mean {near[0]!r}?"
    if otherwise or not names:
        return otherwise or "there are none yet"
    return f"there are: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}"
