"""A bundle: all that helps is in it, and nothing that must not leave the computer, in whatever form it stood."""

import base64
import json
import time
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from cellctl.core.messages import Entry
from cellctl.records import JOURNAL_FILE
from cellctl.upkeep.redaction import Redaction
from tests.cli.terminal import run
from tests.records.made import counted, told, write

SECRET = 'hunter2"canary/one'
LITERAL = "canary-two"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nY2FuYXJ5LXRocmVl\ncanarythree==\n-----END RSA PRIVATE KEY-----"
PEOPLE = ("Anna Jones", "zoë", "b.smith")
MAIL = "anna.jones@works.example.com"

CELL = f"""
# Ask {MAIL}, or b.smith on the phone
cellctl: 1
cell: {{id: press, name: Press}}
devices:
  plc: {{profile: press, at: "modbus://10.0.0.1:502", user: !secret plc_user, password: !secret plc_pw}}
  mes: {{profile: press, at: "modbus://10.0.0.2:502", user: canary-user, password: {LITERAL}}}
  web: {{profile: press, at: "modbus://me:canary-four@10.0.0.3:502"}}
"""

PHASE = f'''
"""Written by zoë."""
API_TOKEN = "canary-five"
DB_PASSWORD='canary-six'
tokens = 17
KEY = """{PEM}"""
URL = "https://zoë:canary-seven@mes.example.com/"
'''


def spoiled(text: str) -> str:
    """A log that says too much."""
    code = base64.b64encode(f"user:{SECRET}".encode()).decode()
    lines = [
        json.dumps({"event": "login", "by": "Anna Jones", "password": "canary-eight"}),
        json.dumps({"event": f"sent {SECRET} to the device", "logger": "asyncua"}),
        f"Authorization: Basic {code}",
        f"GET /?key={quote(SECRET, safe='')}&token=canary-nine HTTP/1.1",
        f"hex {SECRET.encode().hex()}",
        f"mail to <{MAIL}>, ANNA JONES, Zoë",
        f"second line of the secret: {text}",
    ]
    return "\n".join(lines)


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    folder = tmp_path / "press"
    for name, text in {"cell.yaml": CELL, "phases/press.py": PHASE, "notes-of-b.smith.md": "b.smith"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip(), encoding="utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG canary")
    (folder / "secrets").mkdir()
    (folder / "secrets" / "more.txt").write_text("canary-ten")
    state = folder / ".cellctl"
    asked = [Entry("request", {"id": "1", "action": {"command": "start"}, "by": who, "via": "cli"}) for who in PEOPLE]
    said = [Entry("answer", {"part": "p1", "question": "q", "choice": f"as {MAIL} said", "token": 12})]
    write(state, [*asked, *said, *counted(50)], begin_ns=time.time_ns())
    for name, text in {"secrets/plc_pw": SECRET + "\ncanary-eleven\n", "pki/own/key.pem": PEM}.items():
        path = state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (state / "control.log").write_text(spoiled("canary-eleven"), encoding="utf-8")
    return folder


def inside(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as content:
        return {name: content.read(name).decode() for name in content.namelist()}


def test_nothing_gets_in_that_must_not(cell: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "plc_user").write_text("canary-twelve")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    with (cell / ".cellctl" / "control.log").open("a") as log:
        log.write("\nconnected as canary-twelve\n")
    result = run("bundle", str(tmp_path / "a.bundle"), str(cell))
    assert result.code == 0, result.err
    files = inside(tmp_path / "a.bundle")
    everything = "\n".join([*files, *files.values(), result.out])
    lines = [line for line in everything.splitlines() if "canary" in line.lower()]
    assert lines == []
    forms = [SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe=""), SECRET.encode().hex(), "Y2FuYXJ5LXRocmVl"]
    forms += [base64.b64encode(f"user:{SECRET}".encode()).decode()[8:-4], "PRIVATE KEY", "works.example.com"]
    assert [form for form in forms if form in everything] == []
    assert [name for name in PEOPLE if name.lower() in everything.lower()] == []
    assert (tmp_path / "a.bundle").stat().st_mode & 0o777 == 0o600


def test_what_helps_is_in_it(cell: Path, tmp_path: Path) -> None:
    result = run("bundle", str(tmp_path / "a.bundle"), str(cell), "--json", "--entries", "30")
    assert result.code == 0, result.err
    names = told(result.out)["files"]
    files = inside(tmp_path / "a.bundle")
    assert sorted(f"bundle/{name}" for name in names) == sorted(set(files) - {"manifest.json"})  # type: ignore[attr-defined]
    text = files["bundle/cell/cell.yaml"]
    assert "modbus://10.0.0.1:502" in text
    assert "user: !secret plc_user, password: !secret plc_pw}" in text
    assert "tokens = 17" in files["bundle/cell/phases/press.py"]
    assert "bundle/cell/notes-of-person-3.md" in files
    entries = [json.loads(line) for line in files["bundle/journal.jsonl"].splitlines()]
    assert [entry["sequence"] for entry in entries] == list(range(25, 55))
    assert "E" in files["bundle/check.txt"]
    assert any(each["about"] == "journal" for each in json.loads(files["bundle/doctor.json"]))
    assert "No cell is running" in files["bundle/live.json"]
    summary = json.loads(files["bundle/summary.json"])
    assert summary["packages"]["click"]
    assert summary["state"][JOURNAL_FILE] > 0
    assert "picture.png" in summary["left_out"]
    assert "taken out" in files["bundle/README.txt"].lower()


def test_a_long_log_is_cut_where_a_line_begins(cell: Path, tmp_path: Path) -> None:
    line = f'{{"event": "sent {SECRET}", "n": 1}}\n'
    (cell / ".cellctl" / "control.log").write_text(line * 40_000)
    assert run("bundle", str(tmp_path / "a.bundle"), str(cell)).code == 0
    lines = inside(tmp_path / "a.bundle")["bundle/log.txt"].splitlines()
    assert 10_000 < len(lines) < 40_000
    assert set(lines) == {'{"event": "sent ***", "n": 1}'}


def test_people_are_told_apart(cell: Path, tmp_path: Path) -> None:
    assert run("bundle", str(tmp_path / "a.bundle"), str(cell)).code == 0
    lines = inside(tmp_path / "a.bundle")["bundle/journal.jsonl"].splitlines()
    by = [json.loads(line)["data"]["by"] for line in lines[:3]]
    assert by == ["person-1", "person-2", "person-3"]
    assert json.loads(lines[3])["data"] == {"choice": "as <e-mail> said", "part": "p1", "question": "q", "token": 12}


def test_what_is_broken_is_told_and_all_else_is_there(cell: Path, tmp_path: Path) -> None:
    (cell / ".cellctl" / JOURNAL_FILE).write_bytes(b"no database" * 1_000)
    assert run("bundle", str(tmp_path / "a.bundle"), str(cell)).code == 0
    files = inside(tmp_path / "a.bundle")
    assert "cannot be read" in files["bundle/journal.jsonl.error.txt"]
    assert "bundle/cell/cell.yaml" in files
    assert run("bundle", str(tmp_path / "a.bundle"), str(cell)).err == f"{tmp_path / 'a.bundle'} exists already.\n"
    assert run("bundle", str(tmp_path / "none" / "a.bundle"), str(cell)).code == 1


def test_a_folder_without_a_cell_gives_a_bundle_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("bundle", "a.bundle").code == 0
    assert "There is no cell here." in inside(tmp_path / "a.bundle")["bundle/check.txt"]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("password: hunter2", "password: ***"),
        ("  plc_password = 'a b c'  # x", "  plc_password = '***'  # x"),
        ('{"PW": "x\\"y", "a": 1}', '{"PW": "***", "a": 1}'),
        ("pin: 1234, token: 5, token: abc", "pin: 1234, token: 5, token: ***"),
        ("password: 1234", "password: ***"),
        ("password: !secret plc_pw", "password: !secret plc_pw"),
        ("opc.tcp://me:pw@10.0.0.1:4840", "opc.tcp://***@10.0.0.1:4840"),
        ("spinning: 3, user_count: 4", "spinning: 3, user_count: 4"),
        ("mail a.b+c@d.example now", "mail <e-mail> now"),
        ("-----BEGIN PRIVATE KEY-----\nabc", "<private key>"),
        ("YWJj\nabc\n-----END PRIVATE KEY-----\nok", "<private key>\nok"),
        ("Anna, anna; annals, ANNA's", "person-1, person-1; annals, person-1's"),
        ("control and root", "control and root"),
    ],
)
def test_each_form_is_taken_out_and_no_more(text: str, redacted: str) -> None:
    assert Redaction([], ["anna", "control", "root", "", "x"]).text(text) == redacted


def test_an_endless_word_takes_no_longer_than_another() -> None:
    redaction = Redaction(["some-secret"], ["anna"])
    begin = time.process_time()
    for sign in ("a", "-", "a.", 'password="\\', "://a", "a@", "-----BEGIN PRIVATE KEY-----"):
        redaction.text(sign * (200_000 // len(sign)))
    assert time.process_time() - begin < 10
