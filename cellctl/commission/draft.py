"""A profile as a draft: rows told by a device or by a list, written as a person would write them.

The rule kept here: what is written passes `cellctl check` as it is; what is not known is left out and told beside it.
"""

import math
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellctl.commission.naming import names_of, word
from cellctl.commission.unit_names import unit_of
from cellctl.driver import Finding
from cellctl.model import Problem, check
from cellctl.model.devices import check_profile
from cellctl.model.problems import Report
from cellctl.model.profile import Profiles

#: A text that YAML reads as it is.
_PLAIN = re.compile(r"[A-Za-z][\w./-]*\Z")
#: What begins a row, in this order.
_FIRST = ("type", "unit", "read", "write", "range", "scale", "offset")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})
#: Whole numbers above it are not exact as a float.
_WHOLE_MAX = 2**53
_RANGE = re.compile(r"-?[\d.e+-]+\.\.-?[\d.e+-]+\Z")


@dataclass(frozen=True, slots=True)
class Row:
    """A signal: its name, what stands in its row, and what is told beside it."""

    name: str
    keys: Mapping[str, object]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole profile: its head, sections by name, rows, and what is told at the top, line by line."""

    head: Mapping[str, object]
    sections: Mapping[str, Mapping[str, object]]
    rows: Sequence[Row]
    remarks: Sequence[str] = field(default_factory=tuple)

    def text(self) -> str:
        """The file."""
        lines = [f"# {_told(line)}".rstrip() for line in self.remarks]
        lines += ["cellctl: 1", "profile:", *(f"  {key}: {scalar(value)}" for key, value in self.head.items())]
        lines += [f"{name}: {flow(content)}" for name, content in self.sections.items() if content]
        lines += ["signals:", *(f"  {row_text(row)}" for row in self.rows)] if self.rows else ["signals: {}"]
        return "\n".join(lines) + "\n"


def rows_of(findings: Sequence[Finding]) -> list[Row]:
    """The rows of what can be a signal."""
    usable = [finding for finding in findings if finding.row]
    names = names_of([re.split(r"[/.]", finding.path) for finding in usable])
    return [_row(name, finding) for name, finding in zip(names, usable, strict=True)]


def _row(name: str, finding: Finding) -> Row:
    keys, notes = dict(finding.row), []
    if keys["type"] in ("int", "float"):
        unit = unit_of(finding.unit)
        if unit is None:
            notes.append(f"its unit is told as {finding.unit!r}")
        keys |= {"unit": unit} if unit else {}
        if finding.low is not None and finding.high is not None:
            if "write" in keys:
                keys["range"] = span(finding.low, finding.high)
            else:
                notes.append(f"usually {span(finding.low, finding.high)}")
    if finding.hint and finding.kind != "bit":
        notes.append(finding.hint)
    return Row(name, keys, "; ".join(notes))


def row_text(row: Row) -> str:
    """``name: {type: float, ...}  # note``."""
    note = _told(" ".join(row.note.split()))
    keys = {key: row.keys[key] for key in (*_FIRST, *row.keys) if key in row.keys}
    return f"{row.name}: {flow(keys)}{f'  # {note}' if note else ''}"


def flow(content: Mapping[str, object]) -> str:
    """A mapping on one line."""
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in content.items()) + "}"


def scalar(value: object) -> str:
    """A value that YAML reads back as it is."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return digits(value)
        case _:
            text = str(value)
            bare = (_PLAIN.match(text) and text.lower() not in _WORDS) or _RANGE.match(text)
            return text if bare else f'"{"".join(map(_sign, text))}"'


def digits(number: float) -> str:
    """A number with all its digits, and none after the point if it is whole; YAML reads it back as a number."""
    if isinstance(number, float) and not math.isfinite(number):
        return ".nan" if math.isnan(number) else ".inf" if number > 0 else "-.inf"
    if abs(number) < _WHOLE_MAX and int(number) == number:
        return str(int(number))
    mantissa, e, exponent = repr(number).partition("e")
    return mantissa if not e else f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+03}"


def span(low: float, high: float) -> str:
    """A range from one number to another."""
    return f"{digits(low)}..{digits(high)}"


def _told(text: str) -> str:
    """What stands behind a ``#``: on one line, with nothing that YAML does not take."""
    return "".join(sign if sign.isprintable() else _sign(sign) for sign in " ".join(text.split()))


def _sign(sign: str) -> str:
    """A sign within quotes of YAML."""
    if sign in '\\"':
        return f"\\{sign}"
    if sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def id_of(text: str) -> str:
    """An id for a profile, from what it is called."""
    return word(text).replace("_", "-").strip("-") or "device"


def problems_of(text: str) -> tuple[Problem, ...]:
    """What `cellctl check` says of the profile `text`: its errors."""
    with tempfile.TemporaryDirectory(prefix="cellctl-draft-") as scratch:
        path = Path(scratch) / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        return _errors(check(path).problems)


def problems_beside(path: Path, text: str) -> tuple[Problem, ...]:
    """What it would say of `text` in the place of the file `path`, beside the other profiles of the cell."""
    if not own_profile(path):
        return tuple(replace(problem, file=str(path)) for problem in problems_of(text))
    report = Report()
    with tempfile.TemporaryDirectory(prefix="cellctl-draft-") as scratch:
        folder = Path(scratch) / path.parent.name
        folder.mkdir()
        for each in path.parent.glob("*.yaml"):
            with suppress(OSError):  # what is not to be read is told by 'cellctl check', and is not this profile
                shutil.copyfile(each, folder / each.name)
        (folder / path.name).write_text(text, encoding="utf-8")
        profiles = Profiles(Path(scratch), report)
        profiles.read_own()
        for name in profiles.own:
            if (profile := profiles.get(name)) is not None and profile.document.file.name == path.name:
                check_profile(profile, report)
    ours = [problem for problem in report.problems if Path(problem.file).name == path.name]
    return _errors(tuple(replace(problem, file=str(path)) for problem in ours))


def own_profile(path: Path) -> bool:
    """Whether the file lies where the profiles of a cell lie."""
    return path.absolute().parent.name == "profiles"


def _errors(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.severity == "error")
