"""A bundle for support: what somebody needs who is not there, in one file, without secrets and names.

The rule kept here: every text, and every name of a file, goes through the redaction; what is no text does not go along.
What cannot be read is told in its place: a bundle is made most of all when something is broken.
"""

import getpass
import json
import os
import platform
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cellctl
from cellctl.model.secrets import CREDENTIALS, SecretText
from cellctl.records import JOURNAL_FILE, Pick, Reader, RecordsError
from cellctl.upkeep.container import Member, write
from cellctl.upkeep.doctor import Place, examined
from cellctl.upkeep.redaction import Redaction

FORMAT = "cellctl.bundle/1"

#: Of each of these the end is what counts.
ENTRIES = 2_000
_LOG_BYTES = 1 << 20
_LOG_LINES = 3_000

#: Only what people write a cell with, and not larger than they do.
_TEXTS = (".yaml", ".yml", ".py", ".csv", ".json", ".md", ".txt", ".toml")
_FILE_BYTES_MAX = 1 << 20
_FILES_MAX = 500
_NOT_OF_CELL = frozenset({".git", ".cellctl", ".venv", "__pycache__", ".pytest_cache", "secrets", "pki"})

_COMMAND_S = 10

README = """This is a bundle of cellctl for somebody who helps.

cell/           the files of the cell
check.txt       what `cellctl check` says of them
doctor.json     what `cellctl doctor` says of the computer
live.json       what the cell was doing, with its devices and links, if it ran
journal.jsonl   its last decisions, one a line
log.txt         the end of its log
summary.json    versions, the platform, the files of the state folder

Taken out: secrets, private keys, passwords, names of people (person-1, person-2, ...), e-mail addresses.
Left in: addresses of devices, serials of parts, recipes with their values. Look through it before it leaves the house.
"""


@dataclass(frozen=True, slots=True)
class About:
    """What a bundle is made of: the place of a cell, what it says of itself if it runs, and how many entries."""

    place: Place
    live: Mapping[str, Any] | str
    entries: int = ENTRIES


@dataclass(slots=True)
class _Draft:
    """The texts of a bundle, as they are."""

    texts: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def make(target: Path, about: About) -> list[str]:
    """Write a bundle into a new file; what is in it. FileExistsError or OSError if it cannot be."""
    draft = _Draft()
    parts: tuple[tuple[str, Callable[[About, _Draft], str]], ...] = (
        ("README.txt", lambda about, draft: README),
        ("check.txt", _check),
        ("doctor.json", _doctor),
        ("live.json", _live),
        ("journal.jsonl", _journal),
        ("log.txt", _log),
        ("cell/", _cell),
        ("summary.json", _summary),
    )
    for name, part in parts:
        try:
            if text := part(about, draft):
                draft.texts[name] = text
        except Exception as error:
            draft.texts[f"{name.rstrip('/')}.error.txt"] = f"{type(error).__name__}: {error}"
    redaction = Redaction(secrets_of(about.place), people_of(about.place))
    with TemporaryDirectory(prefix="cellctl-bundle-") as folder:
        members = []
        for number, (name, text) in enumerate(draft.texts.items()):
            path = Path(folder) / str(number)
            path.write_text(redaction.text(text), encoding="utf-8", errors="replace")
            members.append(Member(f"bundle/{_name(redaction.text(name))}", path))
        head = {"format": FORMAT, "cellctl": cellctl.__version__, "made_ns": time.time_ns()}
        manifest = write(target, head, members)
    return [str(each["name"]).partition("/")[2] for each in manifest["files"]]


def secrets_of(place: Place) -> Iterator[str]:
    """Every secret that this computer keeps for the cell, and passwords that stand in its files."""
    folders = [place.state / "secrets", Path(os.environ.get(CREDENTIALS) or place.state / "secrets")]
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.glob("*")) if folder.is_dir() else ():
            with suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace").rstrip("\r\n")
                yield text
                yield from text.splitlines()
    for device in place.model.devices.values() if place.model else ():
        for text in (device.user, device.password):
            if text and not isinstance(text, SecretText):
                yield text


def people_of(place: Place) -> Iterator[str]:
    """Who ever asked for something, and whose computer it is."""
    with suppress(KeyError, OSError):
        yield getpass.getuser()
    yield os.environ.get("SUDO_USER", "")
    with suppress(KeyError, OSError):
        yield pwd.getpwuid(place.state.stat().st_uid).pw_name
    found: dict[str, None] = {}
    with suppress(RecordsError), Reader(place.state) as reader:
        after = 0
        while rows := reader.oldest(Pick(after=after), 1_000):
            after = rows[-1][0]
            for row in rows:
                if '"by"' in row[3]:
                    found[str(json.loads(row[3]).get("by", ""))] = None
    yield from found


def _check(about: About, draft: _Draft) -> str:
    place = about.place
    return "\n".join(map(str, place.problems)) or (
        "The files pass the check." if place.cell else "There is no cell here."
    )


def _doctor(about: About, draft: _Draft) -> str:
    return json.dumps([asdict(finding) for finding in examined(about.place)], indent=1, ensure_ascii=False)


def _live(about: About, draft: _Draft) -> str:
    return json.dumps(about.live, indent=1, ensure_ascii=False, default=str)


def _journal(about: About, draft: _Draft) -> str:
    if not (about.place.state / JOURNAL_FILE).exists():
        return ""
    with Reader(about.place.state) as reader:
        rows = reader.newest(Pick(), about.entries)[::-1]
    lines = [
        json.dumps({"sequence": number, "time_ns": at, "kind": kind, "data": json.loads(body)}, ensure_ascii=False)
        for number, at, kind, body, _ in rows
    ]
    return "\n".join(lines)


def _log(about: About, draft: _Draft) -> str:
    """The end of the file in the state folder; of a service, what systemd kept."""
    path = about.place.state / "control.log"
    if path.is_file():
        begin = max(0, path.stat().st_size - _LOG_BYTES)
        with path.open("rb") as file:
            file.seek(begin)
            text = file.read().decode("utf-8", "replace")
        return text.partition("\n")[2] if begin else text  # half a line may hold half a secret, which nobody knows
    journalctl = shutil.which("journalctl")
    if journalctl is None or about.place.model is None:
        return ""
    unit = f"cellctl@{about.place.model.equipment.id}.service"
    argv = [journalctl, "--no-pager", "--output=cat", f"--lines={_LOG_LINES}", f"--unit={unit}"]
    done = subprocess.run(argv, capture_output=True, timeout=_COMMAND_S, check=False)
    return done.stdout.decode("utf-8", "replace")


def _cell(about: About, draft: _Draft) -> str:
    """The files go into the draft one by one."""
    folder = about.place.cell
    count = 0
    for above, folders, names in os.walk(folder) if folder else ():
        folders[:] = sorted(each for each in folders if each not in _NOT_OF_CELL)
        for path in (Path(above) / name for name in sorted(names)):
            told = path.relative_to(str(folder)).as_posix()
            if not path.is_file() or path.is_symlink() or path.suffix not in _TEXTS or count >= _FILES_MAX:
                draft.left_out.append(told)
            elif path.stat().st_size > _FILE_BYTES_MAX:
                draft.left_out.append(f"{told} (too large)")
            else:
                count += 1
                draft.texts[f"cell/{told}"] = path.read_text(encoding="utf-8", errors="replace")
    return ""


def _summary(about: About, draft: _Draft) -> str:
    state = about.place.state
    files = [path for path in sorted(state.rglob("*")) if path.is_file()] if state.is_dir() else []
    told = {
        "cellctl": cellctl.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "packages": {each.name: each.version for each in sorted(metadata.distributions(), key=lambda each: each.name)},
        "state": {path.relative_to(state).as_posix(): path.stat().st_size for path in files},
        "left_out": draft.left_out,
        "made_ns": time.time_ns(),
    }
    return json.dumps(told, indent=1, ensure_ascii=False)


def _name(name: str) -> str:
    """A name that every system can keep."""
    return "".join(sign if sign.isprintable() and sign not in '\\:*?"<>|' else "_" for sign in name)
