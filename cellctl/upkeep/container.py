"""A file that carries other files: a ZIP with a manifest that tells the size and the SHA-256 of each.

The rule kept here: what comes out was named in the manifest, has the bytes that it tells, and lies below the folder
that it is meant for. A name that leads elsewhere, a link, a file too many or too few, or an unknown format refuse it
whole.
"""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"

#: A manifest names thousands of files in that; more is no manifest.
_MANIFEST_BYTES_MAX = 16 << 20
_FILES_MAX = 100_000
_CHUNK = 1 << 20

#: Fast: databases shrink to a fifth, and the cell may be running beside.
_LEVEL = 3


class ContainerError(Exception):
    """The file cannot be used or written: a sentence for a person, without a full stop."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file that goes in: its name there, and where it is."""

    name: str
    path: Path


def write(target: Path, head: Mapping[str, Any], members: Sequence[Member]) -> dict[str, Any]:
    """Write `members` and the manifest, `head` with its `files`, into a new file; the manifest.

    FileExistsError if it is there, ContainerError or OSError if it cannot be written: then nothing is left.
    """
    if target.exists():
        raise FileExistsError(target)
    part = target.with_name(f".{target.name}.part")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as into:
                manifest = {**head, "files": [_put(into, member) for member in members]}
                into.writestr(MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
            file.flush()
            os.fsync(descriptor)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _put(into: zipfile.ZipFile, member: Member) -> dict[str, Any]:
    _usable(member.name)
    digest, count = sha256(), 0
    info = zipfile.ZipInfo(member.name)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    with member.path.open("rb") as source, into.open(info, "w", force_zip64=True) as sink:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            count += len(chunk)
            sink.write(chunk)
    return {"name": member.name, "bytes": count, "sha256": digest.hexdigest()}


class Container:
    """An open file and its manifest, looked through; use `opened`."""

    def __init__(self, file: zipfile.ZipFile, format: str) -> None:
        self._file = file
        self.manifest = _manifest(file, format)
        self.files: dict[str, tuple[int, str]] = {}
        for each in self.manifest["files"]:
            self.files[each["name"]] = (each["bytes"], each["sha256"])
        _compared(file, self.manifest["files"])

    @property
    def bytes(self) -> int:
        """What it takes when it is unpacked."""
        return sum(count for count, _ in self.files.values())

    def extract(self, top: str, folder: Path, *, file_mode: int, folder_mode: int) -> None:
        """Unpack what lies below `top` into `folder`, which is ours alone. ContainerError at the first wrong byte."""
        for name, (count, digest) in self.files.items():
            above, _, rest = name.partition("/")
            if above == top:
                target = folder / rest
                for each in reversed(target.relative_to(folder).parents[:-1]):
                    (folder / each).mkdir(mode=folder_mode, exist_ok=True)
                self._extract(name, target, count, digest, file_mode)

    def _extract(self, name: str, target: Path, count: int, digest: str, mode: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        found, left = sha256(), count
        with self._file.open(name) as source, open(os.open(target, flags, mode), "wb") as sink:
            while chunk := source.read(min(_CHUNK, left + 1)):
                left -= len(chunk)
                if left < 0:
                    break
                found.update(chunk)
                sink.write(chunk)
        if left or found.hexdigest() != digest:
            raise ContainerError(f"{name} is not as it was written")


@contextmanager
def opened(path: Path, format: str) -> Iterator[Container]:
    """The container at `path`, of this format; ContainerError if it is none, or anything in it is wrong."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as inside:
            yield Container(inside, format)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError) as error:
        raise ContainerError(f"it is damaged, or no file of ours ({error})") from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise ContainerError(f"it is damaged ({error})") from error
        raise


def _manifest(file: zipfile.ZipFile, format: str) -> dict[str, Any]:
    try:
        info = file.getinfo(MANIFEST)
    except KeyError:
        raise ContainerError("it has no manifest, so it is no file of ours") from None
    if info.file_size > _MANIFEST_BYTES_MAX:
        raise ContainerError("its manifest is too large")
    try:
        with file.open(info) as source:
            told = json.loads(_bounded(source, _MANIFEST_BYTES_MAX))
        found = str(told["format"])
        files = [(str(each["name"]), int(each["bytes"]), str(each["sha256"])) for each in told["files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ContainerError("its manifest cannot be read") from error
    if found.partition("/")[0] != format.partition("/")[0]:
        raise ContainerError(f"it is {found[:50]!r}, and not {format!r}")
    if found != format:
        raise ContainerError(f"its format is {found[:50]}, this cellctl reads {format}: use the cellctl that wrote it")
    if len(files) > _FILES_MAX or any(count < 0 for _, count, _ in files):
        raise ContainerError("its manifest cannot be right")
    return {**told, "files": [{"name": name, "bytes": count, "sha256": digest} for name, count, digest in files]}


def _bounded(source: Any, limit: int) -> bytes:
    content: bytes = source.read(limit + 1)
    if len(content) > limit:
        raise ValueError
    return content


def _compared(file: zipfile.ZipFile, told: Sequence[Mapping[str, Any]]) -> None:
    """The manifest and the directory of the ZIP name the same, each once, and only plain files in good places."""
    inside = [info for info in file.infolist() if info.filename != MANIFEST]
    if len(file.infolist()) != len(inside) + 1:
        raise ContainerError("it has more than one manifest")
    for info in inside:
        _usable(info.filename)
        kind = info.external_attr >> 16
        if info.is_dir() or (kind and not stat.S_ISREG(kind)):
            raise ContainerError(f"{info.filename!r} is not a plain file")
        if info.flag_bits & 1:
            raise ContainerError(f"{info.filename!r} is encrypted")
    names = sorted(info.filename for info in inside)
    if names != sorted(each["name"] for each in told) or len(set(names)) != len(names):
        raise ContainerError("what is in it is not what its manifest tells")
    above = {name[:at] for name in names for at, sign in enumerate(name) if sign == "/"}
    if folders := above & set(names):
        raise ContainerError(f"{min(folders)!r} is a file and a folder in it")
    sizes = {info.filename: info.file_size for info in inside}
    for each in told:
        if sizes[each["name"]] != each["bytes"]:
            raise ContainerError(f"{each['name']} has another size than its manifest tells")


def _usable(name: str) -> None:
    """ContainerError for a name that could lead out of the folder it is unpacked in, or that is none everywhere."""
    parts = name.split("/")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ContainerError(f"{name!r} is a name that cannot be kept") from None
    if (
        len(parts) < 2
        or any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts)
        or "\\" in name
        or not name.isprintable()
        or len(name) > 1_000
    ):
        raise ContainerError(f"{name!r} is a name that cannot be kept")


def free_for(folder: Path, count: int) -> None:
    """ContainerError if `count` bytes do not go onto the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if free < count:
        raise ContainerError(f"it needs {count / 1e6:,.0f} MB, and {folder} has {free / 1e6:,.0f} MB")
