"""The points of single devices: read, watched, written and tested, against simulated devices in another process."""

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from cellctl.cli.terminal import REFUSED, UNREACHABLE, USAGE
from cellctl.runtime.folder import claimed
from tests.cli.terminal import run

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
LASER = str(CELL / "profiles" / "lx2-laser.yaml")
START_S = 60


@pytest.fixture
def cell(places: Mapping[str, str], tmp_path: Path) -> Path:
    """The bundled cell, with its devices where they are simulated."""
    ignored = shutil.ignore_patterns("__pycache__", ".cellctl")
    copy = Path(shutil.copytree(CELL, tmp_path / "cell", ignore=ignored))
    text = (copy / "cell.yaml").read_text()
    for device, at in places.items():
        text = re.sub(rf'^(  {device}: .*?at: )"[^"]*"', rf'\1"{at}"', text, flags=re.MULTILINE)
    (copy / "cell.yaml").write_text(text)
    return copy


def test_a_device_in_no_cell_is_read_by_its_profile(places: Mapping[str, str]) -> None:
    shown = run("io", "read", "--profile", "eastron.sdm630", "--at", places["meter"])
    assert shown.code == 0, shown.err
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines()[1:]}
    assert rows["frequency"] == ["50", "Hz", "good"]
    assert len(rows) > 10, "all that can be read"


def test_signals_of_a_cell_are_read_as_a_document(cell: Path) -> None:
    shown = run("io", "read", "laser.power", "laser.window", "--cell", str(cell), "--json")
    document = json.loads(shown.out)
    assert (shown.code, document["schema"], document["identity"]) == (0, "cellctl.io/1", "LX2,0042,1.4")
    assert document["signals"]["window"]["value"] == 98.0
    assert set(document["signals"]) == {"power", "window"}


def test_what_is_written_is_read_back(places: Mapping[str, str]) -> None:
    for text, told in (("1.4 kW", "1400"), ("1450", "1450")):
        shown = run("io", "write", "power", text, "--profile", LASER, "--at", places["laser"], "--yes")
        assert (shown.code, shown.out) == (0, f"power: done, read_back = {told}\n")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("write", "power", "5000"), REFUSED, "power: refused: 5000 W is outside 0..2000."),
        (("write", "power", "5 bar"), USAGE, "bar"),
        (("write", "power", "much"), USAGE, "'much' is not a number"),
        (("write", "powr", "5"), USAGE, "There is no signal 'powr'. Did you mean 'power'?"),
        (("write", "window", "5"), REFUSED, "window can only be read."),
        (("read", "powr"), USAGE, "There is no signal 'powr'. Did you mean 'power'?"),
        (("read", "--timeout", "5"), USAGE, "5"),
        (("call", "fier"), USAGE, "There is no command 'fier'. Did you mean 'fire'?"),
        (("call", "fire"), USAGE, "'time' is missing"),
        (("call", "fire", "tim=80"), USAGE, "'tim=80' is not NAME=VALUE; there are time"),
        (("call", "fire", "time=8 s"), USAGE, "time"),
    ],
)
def test_what_cannot_be_is_told(places: Mapping[str, str], words: tuple[str, ...], code: int, told: str) -> None:
    yes = () if words[0] == "read" else ("--yes",)
    shown = run("io", *words, "--profile", LASER, "--at", places["laser"], *yes)
    assert shown.code == code, shown.err
    assert told in shown.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--profile", "eastron.sdm630"), "--profile and --at go together"),
        (("--profile", "eastron.sdm630", "--at", "modbs://127.0.0.1"), "--at: 'modbs' begins no address"),
        (("--cell", str(CELL)), "name one device, or signals of one"),
        (("laser", "meter", "--cell", str(CELL)), "name one device, or signals of one"),
        (("lasser", "--cell", str(CELL)), "There is no device 'lasser'. Did you mean 'laser'?"),
    ],
)
def test_which_device_must_be_clear(words: tuple[str, ...], told: str) -> None:
    shown = run("io", "read", *words)
    assert (shown.code, told in shown.err) == (USAGE, True), shown.err


def test_a_profile_that_is_nowhere() -> None:
    shown = run("io", "read", "--profile", "eastron.sdm63", "--at", "modbus://127.0.0.1")
    assert (shown.code, shown.out) == (1, "")
    assert "There is no profile 'eastron.sdm63'" in shown.err


def test_a_device_that_is_not_there_is_a_sentence() -> None:
    shown = run("io", "read", "--profile", "eastron.sdm630", "--at", "modbus://127.0.0.1:9")
    assert (shown.code, shown.out) == (UNREACHABLE, "")
    assert shown.err.startswith("cannot reach device at 127.0.0.1:9")


def test_nothing_is_sent_that_is_only_shown(places: Mapping[str, str]) -> None:
    laser = ("--profile", LASER, "--at", "serial:/nowhere")
    assert run("io", "write", "power", "1450 W", *laser, "--dry-run").out == "PWR 1450\n"
    assert run("io", "call", "fire", "time=80", "--token", "7", *laser, "--dry-run").out == "FIRE 7 80\n"
    shown = run("io", "write", "power", "5000", *laser, "--dry-run")
    assert (shown.code, shown.err) == (REFUSED, "Nothing would be sent: 5000 W is outside 0..2000.\n")


def test_whoever_does_not_say_yes_writes_nothing(places: Mapping[str, str]) -> None:
    laser = ("--profile", LASER, "--at", places["laser"])
    run("io", "write", "power", "1333", *laser, "--yes")
    asked = run("io", "write", "power", "1400", *laser, stdin="n\n")
    assert "Write 1400 W to power (now 1333 W)?" in asked.err
    assert asked.code == 130
    assert "1333 W" in run("io", "read", "power", *laser).out


def test_a_command_is_sent_once_and_its_answer_shown(places: Mapping[str, str]) -> None:
    laser = ("--profile", LASER, "--at", places["laser"])
    assert run("io", "call", "on", *laser, "--yes").out == "on: done\n"
    fired = run("io", "call", "fire", "time=80 ms", "--token", "77", *laser, "--yes")
    assert fired.out.startswith("fire: done, peak = "), fired.err
    assert "77" in run("io", "read", "last_token", *laser).out


def test_a_command_that_does_not_come_to_its_end_says_what_is_missing(
    places: Mapping[str, str], tmp_path: Path
) -> None:
    profile = tmp_path / "grip.yaml"
    text = "cellctl: 1\nprofile: {id: grip, extends: robotiq.2f85, version: 1, protocol: modbus}\ncommands:\n"
    text += '  wait: {write: {holding 1000: [0, 0, 0]}, until: "status == 2", timeout: 500 ms, class: level}\n'
    profile.write_text(text)
    shown = run("io", "call", "wait", "--profile", str(profile), "--at", places["grip"], "--yes")
    assert shown.code == UNREACHABLE
    assert "wait: unknown: it was sent, but waits for status" in shown.err.replace("device.", "")


def test_changes_are_watched(places: Mapping[str, str]) -> None:
    grip = ("--profile", "robotiq.2f85", "--at", places["grip"])
    assert run("io", "call", "activate", *grip, "--yes").out == "activate: done\n"
    shown = run("io", "watch", "status", *grip, "--for", "1.5 s")
    assert shown.code == 0
    assert [line.split()[2:] for line in shown.out.splitlines()][-1] == ["status", "3", "good"]


def test_while_the_cell_runs_it_alone_writes(cell: Path) -> None:
    with claimed(cell / ".cellctl"):
        for words in (("write", "laser.power", "1400"), ("call", "laser.off")):
            shown = run("io", *words, "--cell", str(cell), "--yes")
            assert (shown.code, "it alone writes" in shown.err) == (REFUSED, True), shown.err
    assert run("io", "write", "laser.power", "1400", "--cell", str(cell), "--yes").code == 0


# --- the guided test --------------------------------------------------------------------------------------------


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return [[row["point"], row["kind"], row["shown"], row["result"], row["remark"]] for row in csv.DictReader(file)]


def test_a_guided_test_is_broken_off_and_goes_on(places: Mapping[str, str], tmp_path: Path) -> None:
    report = tmp_path / "laser.csv"
    laser = ("--profile", LASER, "--at", places["laser"], "--report", str(report), "--by", "Mari")
    run("io", "write", "power", "1400", *laser[:4], "--yes")
    first = run("io", "test", *laser, stdin="y\n1420\ny\nq\n")
    assert first.code == 0, first.err
    assert "The same command goes on" in first.err
    assert rows(report) == [
        ["power", "read", "1400 W", "pass", ""],
        ["power", "write", "1420 W: confirmed", "pass", ""],
    ]
    second = run("io", "test", *laser, stdin="what\nn\nlamp is dark\ny\ns\ny\ny\n")
    assert second.code == UNREACHABLE
    assert second.out == "device.enabled (read): lamp is dark\n"
    assert [row[0] for row in rows(report)[2:]] == ["enabled", "ready", "window", "last_token", "last_peak"]
    third = run("io", "test", *laser, stdin="y\ny\n")
    assert (third.code, third.out) == (0, "")
    assert [row[0] for row in rows(report)[7:]] == ["enabled", "window"]
    with report.open(newline="") as file:
        kept = {(row["by"], row["profile"], row["identity"]) for row in csv.DictReader(file)}
    assert kept == {("Mari", hashlib.sha256(Path(LASER).read_bytes()).hexdigest()[:16], "LX2,0042,1.4")}


def test_a_value_that_cannot_be_written_is_asked_again(cell: Path, places: Mapping[str, str], tmp_path: Path) -> None:
    report = tmp_path / "laser.csv"
    laser = ("--profile", LASER, "--at", places["laser"], "--report", str(report))
    shown = run("io", "test", *laser, stdin="s\nlots\n9000\n1420\ny\nq\n")
    assert "'lots' is not a number" in shown.err
    assert "9000 W is outside 0..2000." in shown.err
    assert rows(report)[1:] == [["power", "write", "1420 W: confirmed", "pass", ""]]
    report = tmp_path / "plc.csv"
    profile = tmp_path / "clamp.yaml"
    profile.write_text(
        "cellctl: 1\nprofile: {id: clamp, version: 1, protocol: opcua}\n"
        'opcua: {namespace: "urn:site:bm1:plc", security: none}\nsignals:\n'
        '  count: {type: int, read: "s=Weld.Clamp", write: "s=Weld.Clamp UInt16"}\n'
    )
    shown = run(
        "io", "test", "--profile", str(profile), "--at", places["plc"], "--report", str(report), stdin="s\n99999\n\n"
    )
    assert "99999 does not fit into UInt16." in shown.err
    assert [row[3] for row in rows(report)] == ["skip", "skip"]


def test_a_report_that_is_none_is_left_alone(places: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    laser = ("--profile", LASER, "--at", places["laser"])
    shown = run("io", "test", *laser, "--report", str(tmp_path / "x.csv"))
    assert (shown.code, "is no report" in shown.err) == (1, True)
    assert (tmp_path / "x.csv").read_text() == "a,b\n1,2\n"
    shown = run("io", "test", *laser, "--report", str(tmp_path / "no" / "x.csv"))
    assert (shown.code, "cannot be written" in shown.err) == (1, True)


def test_only_the_points_that_are_named_are_tested(cell: Path, tmp_path: Path) -> None:
    report = tmp_path / "laser.csv"
    where = ("--cell", str(cell), "--report", str(report))
    for answer, result in (("y\n", "pass"), ("n\nit is dark\n", "fail")):
        run("io", "test", "laser.ready", *where, stdin=answer + "never asked\n" * 3)
        assert [(row[0], row[3]) for row in rows(report)][-1:] == [("ready", result)]
    assert len(rows(report)) == 2, "also what passed before, if it is named"
    shown = run("io", "test", "laser.redy", *where)
    assert (shown.code, "There is no signal 'redy'. Did you mean 'ready'?" in shown.err) == (USAGE, True), shown.err
    assert len(rows(report)) == 2


def test_a_report_is_of_one_device(cell: Path, places: Mapping[str, str], tmp_path: Path) -> None:
    printed, record = tmp_path / "cell.pdf", tmp_path / "cell.csv"
    where = ("--cell", str(cell), "--report", str(printed))
    run("io", "test", "laser", *where, stdin="y\nq\n")
    kept = record.read_bytes(), printed.read_bytes()
    shown = run("io", "test", "meter", *where, stdin="y\nq\n")
    assert (shown.code, shown.err) == (1, f"{record} is the report of laser: name another file for meter.\n")
    assert (record.read_bytes(), printed.read_bytes()) == kept
    alone = tmp_path / "alone.csv"
    laser = ("--profile", LASER, "--at", places["laser"])
    run("io", "test", "ready", *laser, "--report", str(alone), stdin="y\n")
    meter = ("--profile", "eastron.sdm630", "--at", places["meter"])
    shown = run("io", "test", *meter, "--report", str(alone), stdin="y\nq\n")
    assert (shown.code, shown.err) == (1, f"{alone} is the report of another device: name another file for device.\n")
    assert [row[0] for row in rows(alone)] == ["ready"]


def test_a_whole_cell_is_tested_device_after_device_and_goes_on(places: Mapping[str, str], tmp_path: Path) -> None:
    for folder_of_it in ("profiles", "models"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CELL / folder_of_it, tmp_path / "cell" / folder_of_it, ignore=ignored)
    (tmp_path / "cell" / "cell.yaml").write_text(
        "cellctl: 1\ncell: {id: c, name: Cell}\ndevices:\n"
        '  away: {profile: eastron.sdm72, at: "modbus://127.0.0.1:1"}\n'
        f'  laser: {{profile: lx2-laser, at: "{places["laser"]}"}}\n'
        f'  meter: {{profile: eastron.sdm72, at: "{places["meter"]}"}}\n'
    )
    folder = tmp_path / "reports"
    words = ("io", "test", "--all", "--cell", str(tmp_path / "cell"), "--report", str(folder), "--by", "Mari")

    def stand(out: str) -> dict[str, list[str]]:
        return {line.split()[0]: line.split()[1:6] for line in out.splitlines()[1:]}

    first = run(*words, stdin="y\n\nn\nit is dark\nq\n")
    assert first.code == UNREACHABLE, first.err
    assert "cannot reach away" in first.err
    assert "laser, 2 of 3 devices:" in first.err
    assert stand(first.out) == {
        "away": ["4", "0", "0", "0", "4"],
        "laser": ["7", "1", "1", "1", "4"],
        "meter": ["4", "0", "0", "0", "4"],
    }
    second = run(*words, stdin="\n" + "y\n" * 9)
    assert second.code == UNREACHABLE, "one could not be reached"
    assert stand(second.out)["laser"] == ["7", "6", "0", "1", "0"]
    assert stand(second.out)["meter"] == ["4", "4", "0", "0", "0"]
    third = run(*words, stdin="\n")
    assert "meter, 3 of 3" not in third.err, "nothing of it is open"
    assert {path.name for path in folder.iterdir()} >= {"laser.csv", "laser.pdf", "meter.csv", "meter.pdf"}
    for more in (("laser",), ("--profile", LASER, "--at", places["laser"])):
        assert run(*words, *more).code == USAGE
    wrong = run("io", "test", "--all", "--cell", str(tmp_path / "cell"), "--report", "all.pdf")
    assert (wrong.code, "needs a folder" in wrong.err) == (USAGE, True)


def test_what_an_opc_ua_server_would_be_told_is_shown(tmp_path: Path) -> None:
    profile = tmp_path / "press.yaml"
    profile.write_text(
        'cellctl: 1\nprofile: {id: press, version: 1, protocol: opcua}\nopcua: {namespace: "urn:press"}\nsignals:\n'
        '  count: {type: int, read: "s=Count", write: "s=Count UInt16", verify: 0}\n'
        '  open: {type: bool, read: "s=Open", write: "s=Open Boolean", verify: 0}\n'
        'commands:\n  go: {write: {"s=Job Int32": "$token"}, until: open, timeout: 2 s, class: level,'
        ' call: {method: "s=Go", on: "s=Press", inputs: [{type: Byte, value: 7}]}}\n'
    )
    press = ("--profile", str(profile), "--at", "opc.tcp://192.0.2.1", "--dry-run")
    for words, told in (
        (("write", "count", "7"), "write s=Count UInt16: 7\n"),
        (("write", "open", "yes"), "write s=Open Boolean: true\n"),
        (("call", "go", "--token", "9"), "write s=Job Int32: 9\ncall s=Go on s=Press: Byte 7\n"),
    ):
        shown = run("io", *words, *press)
        assert (shown.code, shown.out) == (0, told), shown.err
    shown = run("io", "write", "count", "99999", *press)
    assert (shown.code, shown.err) == (REFUSED, "Nothing would be sent: 99999 does not fit into UInt16.\n")


def test_what_was_left_otherwise_than_it_was_is_told_at_the_end(cell: Path, tmp_path: Path) -> None:
    run("io", "write", "laser.power", "1400", "--cell", str(cell), "--yes")
    where = ("--cell", str(cell), "--by", "Mari", "--report")
    left = "laser.power was 1400 W before the test and is 1420 W now.\n"
    broken_off = run("io", "test", "laser", *where, str(tmp_path / "a.csv"), stdin="y\n1420\ny\nq\n")
    assert left in broken_off.err
    back = run("io", "test", "laser.power", *where, str(tmp_path / "a.csv"), stdin="y\n1420\ny\n")
    assert "before the test" not in back.err, "it was so before"
    run("io", "write", "laser.power", "1400", "--cell", str(cell), "--yes")
    to_the_end = run("io", "test", "laser.power", *where, str(tmp_path / "b.csv"), stdin="y\n1420\nn\nno light\n")
    assert left in to_the_end.err
