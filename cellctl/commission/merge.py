"""A profile that exists, and a list that is laid beside it.

The rule kept here: what a person wrote stays as it is, names and comments and rows. New signals are added at the end of
`signals:`; what the list says otherwise, or no longer has, is told.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cellctl.commission.draft import Row, own_profile, row_text, span
from cellctl.commission.naming import names_of
from cellctl.model import FilesInvalid
from cellctl.model.problems import Report
from cellctl.model.profile import Profile, Profiles
from cellctl.model.quantity import plain, read_bounds
from cellctl.model.shapes import SignalRow
from cellctl.model.yaml_source import Document, read

_ADDRESSES = ("read", "write")
_END = re.compile(r"(\r\n|\r|\n)\Z")
_KEY = re.compile(r"signals\s*:\s*(?P<rest>[^#]*?)\s*(#.*)?\Z")


class MergeError(Exception):
    """The list cannot be laid beside the profile: a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The new text, the names that were added, and what differs, in sentences."""

    text: str
    added: Sequence[str]
    differs: Sequence[str]


def merge(path: Path, protocol: str, sections: Mapping[str, Mapping[str, object]], rows: Sequence[Row]) -> Merged:
    """`rows` laid beside the profile in `path`; FilesInvalid if that cannot be used, MergeError if they do not fit."""
    profile, own = _read(path)
    if profile.file.profile.protocol != protocol:
        raise MergeError(f"{path} is of the protocol {profile.file.profile.protocol}, and the list of {protocol}.")
    theirs = str(sections.get(protocol, {}).get("namespace", ""))
    namespace = str(profile.settings.get("namespace", ""))
    known = profile.file.signals
    places = {place: name for name, row in known.items() for place in _places(row.read, row.write, namespace)}
    met: dict[str, Row] = {}
    new: list[Row] = []
    for row in rows:
        full = {key: _full(value, theirs) if key in _ADDRESSES else value for key, value in row.keys.items()}
        found = [places[place] for place in _places(full.get("read"), full.get("write"), "") if place in places]
        short = {key: _short(value, namespace) if key in _ADDRESSES else value for key, value in full.items()}
        here = Row(row.name, short, row.note)
        if found:
            met.setdefault(found[0], here)
        else:
            new.append(here)
    moved = {row.name: row for row in new if row.name in known and row.name not in met}
    met |= moved
    new = [row for row in new if row.name not in moved]
    differs = [sentence for name, row in met.items() for sentence in _differences(name, known[name], row.keys)]
    differs += [f"{name} is not in the list; it stays" for name in known if name not in met and _addressed(known[name])]
    names = names_of([(row.name,) for row in new], (*known, *profile.file.commands))
    renamed = [Row(name, row.keys, row.note) for name, row in zip(names, new, strict=True)]
    differs += [
        f"{old.name} is the name of another signal: the new one is {new_.name}"
        for old, new_ in zip(new, renamed, strict=True)
        if old.name != new_.name
    ]
    return Merged(_inserted(path, own, renamed), names, differs)


def raw_text(path: Path) -> str:
    """The file with its ends of lines as they are."""
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()


def _read(path: Path) -> tuple[Profile, Document]:
    report = Report()
    own = read(path, path.parent, report)
    head = own.data.get("profile") if own is not None else None
    if own is not None and isinstance(head, dict) and own_profile(path):
        profiles = Profiles(path.absolute().parent.parent, report)
        profiles.read_own()  # which it may extend
        profile = profiles.get(str(head.get("id")))
    else:
        profile = Profiles(path.parent, report).read_file(path)
    if profile is None or own is None or not profile.complete:
        raise FilesInvalid(report.problems)
    return profile, own


def _addressed(row: SignalRow) -> bool:
    return row.read is not None or row.write is not None


def _full(address: object, namespace: str) -> str:
    """An address with its namespace, if there is one to name."""
    text = str(address)
    return f"ns={namespace};{text}" if namespace and re.match(r"[si]=", text) else text


def _short(address: object, namespace: str) -> str:
    return str(address).removeprefix(f"ns={namespace};") if namespace else str(address)


def _places(read_at: object, write_at: object, namespace: str) -> list[str]:
    """Where a signal is, without the type of what is there, in words that can be compared."""
    places = []
    for address, ends_with_type in ((read_at, False), (write_at, True)):
        if address is None:
            continue
        text = _compared(_full(address, namespace))
        if "=" in text:  # a node, whose name may hold spaces
            places.append(text.rpartition(" ")[0] if ends_with_type else text)
        else:
            words = text.split()
            places.append(" ".join(words[:2] + [word for word in words[2:] if not _type(word)]))
    return places


def _compared(address: str) -> str:
    """An address in one spelling; the names of nodes are left as they are."""
    if "=" in address:
        return address.strip()
    text = " ".join(address.lower().split())
    return re.sub(r"\b0x[0-9a-f]+\b", lambda match: str(int(match[0], 16)), text)


def _type(word: str) -> bool:
    return re.fullmatch(r"(u?int|float)\d+|text", word) is not None


def _differences(name: str, row: SignalRow, keys: Mapping[str, object]) -> list[str]:
    """What the list says otherwise of a signal that is there."""
    told = []
    theirs = str(keys.get("unit", ""))
    pairs: list[tuple[str, object, object]] = [("type", row.type, keys["type"])]
    pairs += [("unit", row.unit or "none", theirs)] if theirs else []
    pairs += [("scale", row.scale, keys["scale"])] if "scale" in keys else []
    pairs += [("text", plain(row.text or {}), keys["text"])] if "text" in keys and row.text else []
    if "range" in keys and row.range is not None and row.range.unit in ("", row.unit):
        listed = read_bounds(keys["range"])
        pairs.append(("range", span(row.range.low, row.range.high), span(listed.low, listed.high)))
    for key, ours, their in pairs:
        if ours != their:
            told.append(f"{name}: {key} is {ours} here, {their} in the list; it stays")
    return told + _access(name, row, keys) + _addresses(name, row, keys)


def _access(name: str, row: SignalRow, keys: Mapping[str, object]) -> list[str]:
    if "write" in keys and row.write is None:
        return [f"{name} can be written, says the list: write: {keys['write']!r}"]
    if "write" not in keys and row.write is not None:
        return [f"{name} can only be read, says the list; it is written here"]
    return []


def _addresses(name: str, row: SignalRow, keys: Mapping[str, object]) -> list[str]:
    """Other places, or another type at the same one."""
    told = []
    for key, ours in (("read", row.read), ("write", row.write)):
        theirs = str(keys.get(key, ""))
        if ours is not None and theirs and _compared(ours) != _compared(theirs):
            told.append(f"{name}: {key} is {ours!r} here, {theirs!r} in the list; it stays")
    return told


def _inserted(path: Path, own: Document, rows: Sequence[Row]) -> str:
    """The text with `rows` at the end of its signals; every other line keeps its end."""
    text = raw_text(path)
    if not rows:
        return text
    lines = text.splitlines(keepends=True)
    begin = next((at for at, line in enumerate(lines) if _KEY.match(line.rstrip())), -1)
    if begin < 0:
        return _with(lines, len(lines), ["signals:", *(f"  {row_text(row)}" for row in rows)])
    rest = _KEY.match(lines[begin].rstrip())
    if rest and rest["rest"] not in ("", "{}"):
        raise MergeError(f"{path}:{begin + 1}: write each signal on a line of its own below 'signals:', then import.")
    lines[begin] = re.sub(r"\s*\{\s*\}", "", lines[begin]) if rest and rest["rest"] else lines[begin]
    columns = [place.column for key, place in own.keys.items() if len(key) == 2 and key[0] == "signals"]
    indent = " " * (columns[0] - 1 if columns else 2)
    end = begin
    for at in range(begin + 1, len(lines)):
        if lines[at].strip() and not lines[at][0].isspace() and not lines[at].startswith("#"):
            break
        if lines[at].strip() and (lines[at][0].isspace()):
            end = at
    return _with(lines, end + 1, [f"{indent}{row_text(row)}" for row in rows])


def _with(lines: Sequence[str], at: int, added: Sequence[str]) -> str:
    """The lines with others before the one of the number `at`; those end as the line before them does."""
    before, after = list(lines[:at]), lines[at:]
    ends = [_END.search(line) for line in reversed(before)]
    end_of_line = next((found[0] for found in ends if found), "\n")
    if before and not before[-1].endswith(("\n", "\r")):
        before[-1] += end_of_line
    return "".join([*before, *(f"{line}{end_of_line}" for line in added), *after])
