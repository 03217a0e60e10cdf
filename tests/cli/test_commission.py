"""The guide to commissioning, followed word by word at a desk: each command says what the page shows."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.terminal import run

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "commission-a-cell.md"

#: Commands of the page that end only when somebody ends them.
ENDLESS = ("cellctl run press-1",)


@pytest.fixture(scope="module")
def box(places: Mapping[str, str]) -> Mapping[str, str]:
    """The box of devices: what the page calls each port, and what it is here."""
    shown = re.findall(r"^(\w+) +\w+ +\S+?:(\d+)", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    here = {name: re.findall(r":(\d+)", at) for name, at in places.items()}
    return {port: here[name][0] for name, port in shown if name in here}


def steps() -> list[tuple[str, list[str]]]:
    """Every command of the page, with the lines that are shown below it."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def blocks(holding: str) -> str:
    """The one block of the page that holds these words."""
    text = GUIDE.read_text(encoding="utf-8")
    (found,) = (each for each in re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL) if each.startswith(holding))
    return str(found)


def test_each_step_says_what_the_page_shows(
    box: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(box) == 3
    (tmp_path / "meter.csv").write_text(blocks("Parameter;Register"), encoding="utf-8")
    ports = re.compile("|".join(box))
    asked = 0
    for command, shown in steps():
        if command in ENDLESS:
            continue
        words, _, target = ports.sub(lambda port: box[port[0]], command).partition(" > ")
        if words.startswith("mkdir "):
            Path(shlex.split(words)[-1]).mkdir(parents=True)
            cell = ports.sub(lambda port: box[port[0]], blocks("cellctl: 1"))
            (tmp_path / "press-1" / "cell.yaml").write_text(cell, encoding="utf-8")
            continue
        typed = [line.partition(": ")[2] for line in shown if ": " in line and _asks(line)]
        result = run(*shlex.split(words)[1:], stdin="".join(f"{answer}\n" for answer in typed))
        if target:
            Path(target).write_text(result.out, encoding="utf-8")
        text = result.out + result.err
        told = {_bare(line) for line in re.split(r"\n|(?<=\]: )|(?<=What is wrong: )", text)}
        for line in shown:
            wanted = line.rpartition(": ")[0] + ":" if _asks(line) else line
            wanted = ports.sub(lambda port: box[port[0]], wanted)
            assert line == "..." or _bare(wanted) in told, f"{command}\n{line}\n{text}"
        asked += 1
    assert asked == 8
    assert (tmp_path / "plc.pdf").read_bytes().startswith(b"%PDF")


def _bare(line: str) -> str:
    """A line without the width of its columns, without what is measured anew each time, and with its ports in order."""
    told = re.sub(r" \d+ \(0x\w+; float32.*", "", " ".join(line.split()))
    return re.sub(r"(?<=ports )\d+(?:, \d+)+$", lambda ports: ", ".join(sorted(ports[0].split(", "), key=int)), told)


def _asks(line: str) -> bool:
    return "[y/n/s(kip)/q(uit)]" in line or line.startswith("What is wrong")
