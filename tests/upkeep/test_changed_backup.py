"""A backup that somebody changed, or that is cut: refused whole, and nothing of it is anywhere."""

import io
import json
import stat
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import run
from tests.records.made import change
from tests.upkeep.secret import restored

Content = dict[str, bytes]


def rewritten(file: Path, change: Callable[[Content, dict[str, Any]], None], mode: int = stat.S_IFREG | 0o600) -> None:
    """The file with other content, and a manifest that knows all of it but for what `change` does to that."""
    with zipfile.ZipFile(file) as inside:
        content = {name: inside.read(name) for name in inside.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    change(content, manifest)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as into:
        for name, data in content.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if name.endswith("evil") else stat.S_IFREG | 0o600) << 16
            into.writestr(info, data)
        into.writestr("manifest.json", json.dumps(manifest))
    file.write_bytes(made.getvalue())


def named(manifest: dict[str, Any], name: str, data: bytes) -> None:
    manifest["files"].append({"name": name, "bytes": len(data), "sha256": sha256(data).hexdigest()})


def refused(file: Path, tmp_path: Path) -> str:
    """The sentence; nothing is anywhere."""
    before = sorted(tmp_path.rglob("*"))
    outside = sorted(tmp_path.parent.iterdir())
    assert run("backup", "verify", str(file)).code == 7
    result = restored(file, tmp_path)
    assert result.code == 1, result.out
    assert result.out == ""
    assert sorted(tmp_path.rglob("*")) == before
    assert sorted(tmp_path.parent.iterdir()) == outside
    return result.err


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "cell/../../evil",
        "/etc/evil",
        "cell//evil",
        "cell/./evil",
        "cell\\..\\evil",
        "evil",
        "cell/a\nevil",
        "cell/" + "x" * 300 + "evil",
    ],
)
def test_names_that_lead_elsewhere_are_refused(file: Path, tmp_path: Path, name: str) -> None:
    def put(content: Content, manifest: dict[str, Any]) -> None:
        content[name] = b"evil"
        named(manifest, name, b"evil")

    rewritten(file, put)
    assert "is a name that cannot be kept" in refused(file, tmp_path)


@pytest.mark.parametrize(
    "mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600, stat.S_IFCHR | 0o600, stat.S_IFDIR | 0o700]
)
def test_what_is_no_plain_file_is_refused(file: Path, tmp_path: Path, mode: int) -> None:
    def put(content: Content, manifest: dict[str, Any]) -> None:
        content["cell/evil"] = b"/etc/passwd"
        named(manifest, "cell/evil", b"/etc/passwd")

    rewritten(file, put, mode)
    assert "is not a plain file" in refused(file, tmp_path)


def _other_bytes(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml"] = content["cell/cell.yaml"].replace(b"air", b"AIR", 1)


def _longer(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml"] += b" "


def _more(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/more.yaml"] = b""


def _less(content: Content, manifest: dict[str, Any]) -> None:
    del content["cell/cell.yaml"]


def _newer(content: Content, manifest: dict[str, Any]) -> None:
    manifest["format"] = "cellctl.backup/2"


def _foreign(content: Content, manifest: dict[str, Any]) -> None:
    manifest["format"] = "other/1"


def _both(content: Content, manifest: dict[str, Any]) -> None:
    content["cell/cell.yaml/evil"] = b""
    named(manifest, "cell/cell.yaml/evil", b"")


def _other_head(content: Content, manifest: dict[str, Any]) -> None:
    manifest["journal"]["head"] = "aaaaaaaa"


def _other_state(content: Content, manifest: dict[str, Any]) -> None:
    manifest["folded"] = "0" * 64


def _no_journal(content: Content, manifest: dict[str, Any]) -> None:
    del content["state/journal.db"]
    manifest["files"] = [each for each in manifest["files"] if each["name"] != "state/journal.db"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_other_bytes, "cell/cell.yaml is not as it was written"),
        (_longer, "another size"),
        (_more, "what is in it is not what its manifest tells"),
        (_less, "what is in it is not what its manifest tells"),
        (_newer, "its format is cellctl.backup/2, this cellctl reads cellctl.backup/1: use the cellctl that wrote it"),
        (_foreign, "it is 'other/1'"),
        (_both, "'cell/cell.yaml' is a file and a folder in it"),
        (_other_head, "its journal is not the one that its manifest tells of"),
        (_other_state, "comes to another state of the cell"),
        (_no_journal, "There is no journal.db"),
    ],
)
def test_what_was_changed_is_refused(
    file: Path, tmp_path: Path, change: Callable[[Content, dict[str, Any]], None], sentence: str
) -> None:
    rewritten(file, change)
    assert sentence in refused(file, tmp_path)


@pytest.mark.parametrize(
    ("name", "statement", "told"),
    [
        (
            "journal.db",
            "UPDATE entry SET body = '{}' WHERE sequence = 233",
            "entry 233 of its journal is not as it was",
        ),
        ("journal.db", "PRAGMA user_version = 9", "has format 9"),
        ("history.db", "PRAGMA user_version = 9", "has format 9"),
    ],
)
def test_a_database_that_was_changed_with_all_hashes_is_refused(
    file: Path, tmp_path: Path, *, name: str, statement: str, told: str
) -> None:
    def alter(content: Content, manifest: dict[str, Any]) -> None:
        path = tmp_path / name
        path.write_bytes(content[f"state/{name}"])
        change(path, statement)
        data = content[f"state/{name}"] = path.read_bytes()
        path.unlink()
        for each in manifest["files"]:
            if each["name"] == f"state/{name}":
                each |= {"bytes": len(data), "sha256": sha256(data).hexdigest()}

    rewritten(file, alter)
    assert told in refused(file, tmp_path)


def test_a_file_cut_anywhere_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        refused(file, tmp_path)
    file.write_bytes(whole[:5_000] + bytes(200) + whole[5_200:])
    refused(file, tmp_path)
    assert run("backup", "verify", str(tmp_path / "none")).err.startswith("There is no ")
