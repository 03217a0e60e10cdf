"""What a person did wrong when a text is no YAML, from what the YAML library says about it.

The rule kept here: the library tells where it gave up; told is where the mistake is, and what to write.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml.error import MarkedYAMLError

from cellctl.model.problems import Place, Wrong

_BRACKET = "close the bracket, or put a ',' between the values"
_COLON = "mapping values are not allowed"
_NO_COLON = "could not find expected ':'"
_COLON_INSIDE = ", but got ':'"
#: Parts of what the YAML library says -> what a person should do.
_HINTS: Mapping[str, str] = {
    _COLON: "put quotes around a text that contains ': '",
    _NO_COLON: "every key is followed by ': '",
    "did not find expected ',' or": _BRACKET,
    "expected ',' or": _BRACKET,
    "cannot start any token": "put quotes around a text that begins with a special character",
    "end of stream": "close the quotes or the bracket",
    "expected <block end>": "begin all keys of one block in the same column",
    "block end": "begin all keys of one block in the same column",
    "undefined alias": "write the value out",
    "unknown escape": "inside double quotes write \\\\ for a backslash, or use single quotes",
}
#: A line that is a key without its colon, with nothing or with a bracket behind it.
_BARE_KEY = re.compile(r"(?P<indent>\s*(?:- +)?)(?P<word>[A-Za-z_][\w.-]*)\s*(?:[{\[].*|#.*)?\Z")
_WORD = re.compile(r"\s*[\w.-]+\Z")


def mistake(file: Path, text: str, error: MarkedYAMLError) -> tuple[Place, Wrong]:
    """The place of the mistake in `text`, and the mistake."""
    told = " ".join(part for part in (error.context, error.problem) if part)
    unclosed = "end of stream" in (error.problem or "")
    mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
    if mark is None:
        return Place(file), Wrong("E109", f"this is not YAML: {told}", _hint(told))
    lines = text.splitlines()
    if _COLON in told or _NO_COLON in told:
        line = _last_written(lines, mark.line, before=_NO_COLON in told or _begins_line(lines, mark.line, mark.column))
        if bare := _BARE_KEY.match(lines[line]):
            wrong = Wrong("E109", f"this is not YAML: {bare['word']!r} has no ':'", f"write '{bare['word']}:'")
            return Place(file, line + 1, len(bare["indent"]) + 1), wrong
    hint = _hint(told)
    if _COLON_INSIDE in told and not _begins_line(lines, mark.line, mark.column):
        hint = "put quotes around a text that contains ': ', or a ',' between two values"
    return Place(file, mark.line + 1, mark.column + 1), Wrong("E109", f"this is not YAML: {told}", hint)


def _hint(told: str) -> str:
    found = (hint for part, hint in _HINTS.items() if part in told)
    return next(found, "check quotes, brackets, colons and indentation")


def _begins_line(lines: list[str], line: int, column: int) -> bool:
    """Whether nothing but one word stands before the place in its line: it is a key."""
    return line < len(lines) and _WORD.match(lines[line][:column]) is not None


def _last_written(lines: list[str], line: int, *, before: bool) -> int:
    """The line itself, or the one before it that is neither empty nor a comment."""
    at = min(line, len(lines) - 1) - before
    while at > 0 and (not lines[at].strip() or lines[at].lstrip().startswith("#")):
        at -= 1
    return max(at, 0)
