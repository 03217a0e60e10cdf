"""What the terminal is given: nothing that a device says moves the cursor, or looks as if we had said it."""

import json
from pathlib import Path

import pytest

from cellctl.cli.terminal import Failure, document, say, table
from cellctl.commission.draft import Draft, problems_of, rows_of
from cellctl.driver import Finding
from cellctl.pki import Pki, thumbprint
from tests.cli.terminal import run
from tests.drivers.opcua_secure import Identity

#: Up a line and to its beginning, a control sequence in one byte, text from right to left, a line of its own.
SPOILS = "\x1b[1A\rA\x9b2JB\u202eC\nD\tE\x7f"
SHOWN = r"\x1b[1A\rA\x9b2JB\u202eC\nD\tE\x7f"


def test_what_cannot_be_printed_is_shown_as_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"It is {SPOILS}.")
    assert capsys.readouterr().err == f"It is {SHOWN}.\n"
    table(("name", "of"), [(SPOILS, "1"), ("Ofen °C µm 炉", None)])
    assert capsys.readouterr().out.splitlines() == [
        f"{'NAME':<{len(SHOWN)}}  OF",
        f"{SHOWN}  1",
        "Ofen °C µm 炉",
    ]


def test_our_own_lines_stay_lines_where_a_command_fails(capsys: pytest.CaptureFixture[str]) -> None:
    Failure("It says \x1b[2J.\nSee below.", detail="one\ntwo\r").show()
    assert capsys.readouterr().err == "It says \\x1b[2J.\nSee below.\n  one\ntwo\\r\n"


def test_a_document_holds_the_same_and_prints_nothing_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    document("s/1", {"text": SPOILS, "unit": "°C", "far": "\U000e0001"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"schema": "s/1", "text": SPOILS, "unit": "°C", "far": "\U000e0001"}
    assert "°C" in out
    assert all(line.isprintable() for line in out.splitlines())


def test_a_draft_that_quotes_a_device_can_be_read() -> None:
    told = Finding("Weight", f"s={SPOILS}", "Float", "r", hint=SPOILS, row={"type": "float", "read": f"s={SPOILS}"})
    head = {"id": "scale", "version": 1, "protocol": "opcua"}
    text = Draft(head, {"opcua": {"namespace": "urn:scale"}}, rows_of([told])).text()
    assert all(line.isprintable() for line in text.split("\n")), text
    assert not problems_of(text)


def test_a_device_overwrites_no_thumbprint(tmp_path: Path) -> None:
    forged = " ".join(["D00D"] * 10)
    uri = f"urn:robot\x1b[1A\r  thumbprint:  {forged}\x1b[1B\r\n  thumbprint:  {forged}"
    certificate = Identity(uri).write(tmp_path / "made")[0].read_bytes()
    Pki(tmp_path / "pki").reject("robot", certificate)
    for words in (("list",), ("trust", "robot", "--yes")):
        shown = run("cert", *words, "--state", str(tmp_path))
        assert shown.code == 0, shown.err
        text = shown.out + shown.err
        assert all(line.isprintable() for line in text.split("\n")), text
        (line,) = (line for line in text.splitlines() if forged in line)
        assert r"urn:robot\x1b[1A\r  thumbprint:" in line
        assert thumbprint(certificate) in text
