"""The doors of the model: check, load, find_cell, simulated, schemas, drivers."""

import json
import os
import shutil
from pathlib import Path

import pytest

from cellctl.core.packml import Mode, State
from cellctl.model import DriverMissing, FilesInvalid, check, driver_for, find_cell, load
from cellctl.model.problems import Report
from cellctl.model.profile import Profiles, bundled
from cellctl.model.shapes import SCHEMAS, json_schema

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A copy of the bundled cell."""
    return Path(shutil.copytree(CELL, tmp_path / "cell", ignore=shutil.ignore_patterns("__pycache__")))


def edit(file: Path, old: str, new: str) -> None:
    """Replace the only occurrence of a text."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), "utf-8")


def codes(path: Path) -> set[str]:
    """The codes that a check gives."""
    return {problem.code for problem in check(path).problems}


def test_a_cell_is_found_by_name_folder_and_file():
    assert find_cell("battery-module") == find_cell(CELL) == CELL
    assert find_cell(CELL / "recipes" / "module-12s.yaml") == CELL


def test_an_unknown_cell_is_told_with_what_was_meant(tmp_path: Path):
    with pytest.raises(FilesInvalid) as told:
        find_cell("batery-module")
    assert told.value.problems[0].code == "E201"
    assert "battery-module" in told.value.problems[0].hint
    assert [problem.message for problem in check(tmp_path).problems] == ["this folder has no cell.yaml"]
    assert codes(tmp_path / "nothing") == {"E201"}


def test_load_gives_what_the_core_and_the_drivers_need():
    model = load(CELL)
    assert model.timezone == "Europe/London"
    assert set(model.devices) == {"plc", "robot", "grip", "laser", "eol", "meter"} == set(model.models)
    equipment = model.equipment
    assert equipment.name == "Battery modules 1"
    assert equipment.states[State.RESETTING] == ("home_all",)
    assert set(equipment.recipes) == {"module-12s", "module-8s"}
    assert equipment.stations["weld"].uses == {"robot", "grip", "plc", "laser"}
    assert [interlock.reaction for interlock in equipment.interlocks] == ["abort", "hold", "suspend"]
    dirty = equipment.alarms[0]
    assert (dirty.shelve_ns, dirty.suppress) == (7_200_000_000_000, None)
    assert dirty.words["cy"][0] == "Mae ffenestr y laser yn fudr"
    assert dirty.words["en"] == (dirty.text, dirty.do)
    assert model.texts["interlock.guard.do"]["cy"].startswith("Caewch")
    assert model.texts["recipe.module-12s.weld_power.label"] == {"en": "Weld power", "cy": "Pŵer weldio"}
    assert model.texts["recipe.module-12s.changeover.2.text"]["en"] == "Fit clamp plate F-12S."


def test_load_raises_with_every_problem(cell: Path):
    edit(cell / "cell.yaml", "else: abort", "else: pause")
    edit(cell / "recipes" / "module-12s.yaml", 'version: "7"', "version: 7")
    edit(cell / "profiles" / "bm1-plc.yaml", "unit: bar", "unit: baar")
    edit(cell / "phases" / "module.py", "    await c.grip.activate()", "    c.grip.activate()")
    with pytest.raises(FilesInvalid) as told:
        load(cell)
    assert {problem.code for problem in told.value.problems} == {"E125", "E124", "E132", "E404"}
    assert "cell.yaml:29:11: error E125" in str(told.value)


def test_a_broken_profile_does_not_make_its_names_unknown(cell: Path):
    edit(cell / "profiles" / "bm1-plc.yaml", "protocol: opcua", "protocol opcua")
    assert codes(cell) == {"E109"}


def test_simulated_devices_are_marked_and_need_no_password():
    model = load(CELL).simulated({"laser": "tcp://127.0.0.1:4001"})
    assert model.devices["laser"].address == "tcp://127.0.0.1:4001"
    assert model.devices["laser"].simulated
    assert not model.devices["plc"].simulated
    assert model.equipment.simulated == {"laser"}


def test_a_profile_in_no_cell_is_checked_alone(tmp_path: Path):
    file = tmp_path / "oven.yaml"
    file.write_text(
        "cellctl: 1\nprofile: {id: oven, version: 1, protocol: modbus}\n"
        "signals:\n  temp: {type: float, unit: degC, range: 20..0, read: input 1 int16}\nidentify: none\n"
    )
    (problem,) = check(file).problems
    assert (problem.line, problem.column, problem.code) == (4, 42, "E134")


def test_modes_and_energy_and_oee(cell: Path):
    edit(
        cell / "cell.yaml",
        "\ninterlocks:",
        "\nmodes: {manual: {disabled: [holding, held, unholding]}}\n"
        "oee: {short_stop: 20 s, reasons: [tool, material]}\n"
        "journal: {keep: 100 d}\n"
        "energy: {meter: meter.import_energy, co2: 0.18 kgCO2e/kWh, source: 2026}\ninterlocks:",
    )
    assert codes(cell) == {"E124"}
    edit(cell / "cell.yaml", "source: 2026", 'source: "2026"')
    model = load(cell)
    assert State.SUSPENDED not in model.equipment.modes[Mode.MANUAL].disabled
    assert State.HELD in model.equipment.modes[Mode.MANUAL].disabled
    assert model.oee is not None
    assert model.keep_ns == 100 * 86_400_000_000_000
    assert (model.oee.short_stop_ns, model.oee.reasons) == (20_000_000_000, ("tool", "material"))
    assert model.energy is not None
    assert model.energy.co2_per_kwh == 0.18


def test_checking_leaves_nothing_in_the_folder(cell: Path):
    before = sorted(cell.rglob("*"))
    assert check(cell).problems == ()
    assert sorted(cell.rglob("*")) == before


@pytest.mark.parametrize("kind", SCHEMAS)
def test_schemas_are_json_and_name_the_keys(kind: str):
    schema = json.loads(json.dumps(json_schema(kind)))
    assert "cellctl" in schema["properties"]
    assert schema["additionalProperties"] is (kind == "profile")
    assert kind != "cell" or "else" in schema["$defs"]["InterlockRow"]["properties"]


def test_a_missing_driver_says_what_there_is():
    with pytest.raises(DriverMissing) as told:
        driver_for("modbuss")
    assert "modbus" in told.value.hint
    assert callable(driver_for("modbus"))


def test_a_connection_without_encryption_is_told_where_it_is_said(cell: Path):
    profile, old = cell / "profiles" / "bm1-plc.yaml", "publishing: 50 ms"
    edit(profile, old, f"{old}, security: none")
    (problem,) = check(cell).problems
    assert (problem.code, problem.severity, Path(problem.file).name) == ("W317", "warning", "bm1-plc.yaml")
    assert problem.hint.endswith(f"cellctl cert trust plc --state {cell / '.cellctl'}")
    assert [each.code for each in check(profile).problems] == ["W317"]
    edit(profile, f"{old}, security: none", old)
    edit(cell / "cell.yaml", '10.20.1.10:4840"', '10.20.1.10:4840", set: {security: none}')
    (problem,) = check(cell).problems
    assert (problem.code, Path(problem.file).name) == ("W317", "cell.yaml")


def test_a_model_that_is_to_run_knows_its_certificates(cell: Path, tmp_path: Path):
    assert load(cell).devices["plc"].pki is None
    assert load(cell, state=tmp_path).devices["plc"].pki == tmp_path / "pki"


class TestSecrets:
    """`!secret name` in cell.yaml."""

    @pytest.fixture
    def secretive(self, cell: Path) -> Path:
        old = 'at: "opc.tcp://10.20.1.10:4840"'
        edit(cell / "cell.yaml", old, f"{old}, user: plc, password: !secret plc_pw")
        return cell

    def test_checking_needs_none(self, secretive: Path):
        assert check(secretive).problems == ()
        assert repr(load(secretive).devices["plc"].password) == "!secret plc_pw"

    def test_running_reads_the_file_of_its_owner(self, secretive: Path, tmp_path: Path):
        secret = tmp_path / "secrets" / "plc_pw"
        secret.parent.mkdir()
        secret.write_text("s3cret\n")
        secret.chmod(0o600)
        device = load(secretive, state=tmp_path).devices["plc"]
        assert device.password == "s3cret"
        assert "s3cret" not in repr(device) + repr(device.password)
        secret.chmod(0o644)
        with pytest.raises(FilesInvalid, match="E212"):
            load(secretive, state=tmp_path)

    def test_running_reads_the_credentials_of_the_service(
        self, secretive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (tmp_path / "plc_pw").write_text("from systemd")
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", os.fspath(tmp_path))
        assert load(secretive, state=tmp_path).devices["plc"].password == "from systemd"

    def test_a_missing_one_is_told_unless_the_device_is_simulated(self, secretive: Path, tmp_path: Path):
        with pytest.raises(FilesInvalid, match="E211"):
            load(secretive, state=tmp_path)
        assert load(secretive, state=tmp_path, simulated={"plc"}).devices["plc"].password == "plc_pw"


class TestPlaces:
    def test_units_of_one_bus_and_of_one_gateway_share_a_port(self, cell: Path):
        bus = "modbus+rtu:/dev/serial/by-id/usb-FTDI_GRIP?unit=3&baud=115200"
        edit(cell / "cell.yaml", "modbus://10.20.1.20:502?unit=3", bus)
        assert check(cell).problems == ()
        edit(cell / "cell.yaml", bus, "modbus://10.20.1.11:502?unit=3")
        assert check(cell).problems == ()

    def test_the_other_line_is_named(self, cell: Path):
        edit(cell / "cell.yaml", "tcp://10.20.1.15:5025", "tcp://10.20.1.11:502")
        (problem,) = check(cell).problems
        assert problem.message == "10.20.1.11:502 is the address of 'robot' in line 11 too"


class TestModels:
    @pytest.mark.parametrize(
        "table",
        ["MODELS = dict(x=Lx2)", "MODELS = {**OTHERS}", "MODELS = {}\nMODELS['x'] = Lx2", "from x import MODELS"],
    )
    def test_a_table_that_must_be_run_may_bring_any_name(self, cell: Path, table: str):
        edit(cell / "models" / "laser.py", 'MODELS = {"lx2-laser": Lx2}', table)
        assert check(cell).problems == ()

    def test_a_table_that_is_gone_is_missed(self, cell: Path):
        edit(cell / "models" / "laser.py", 'MODELS = {"lx2-laser": Lx2}', "")
        assert [problem.code for problem in check(cell).problems] == ["E315"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1.450,5 W", "1450.5 W"),
        ("'1,450.5 W'", "1450.5 W"),
        ("'1450,5'", "1450.5"),
        ("'1,450 W'", "1.450 W or 1450 W"),
        ("'1,450,000 W'", "1450000 W"),
    ],
)
def test_a_decimal_comma_is_one_mistake(cell: Path, written: str, meant: str):
    edit(cell / "recipes" / "module-12s.yaml", "value: 1450 W", f"value: {written}")
    (problem,) = check(cell).problems
    assert (problem.code, problem.hint) == ("E132", f"use a point for decimals: {meant}")


def test_a_length_of_time_has_no_comma(cell: Path):
    edit(cell / "cell.yaml", "shelve: 2 h", "shelve: 1,5 h")
    (problem,) = check(cell).problems
    assert problem.hint == "use a point for decimals: 1.5 h"


def test_a_device_that_nobody_asks_what_it_is_is_told_unless_the_profile_says_that_it_cannot_be(cell: Path):
    profile, old = cell / "profiles" / "hp500-hipot.yaml", 'identify: {ask: "*IDN?", expect: "EXAMPLE,HP500,.*"}\n'
    edit(profile, old, "")
    (problem,) = check(cell).problems
    assert (problem.code, problem.severity, Path(problem.file).name) == ("W318", "warning", "hp500-hipot.yaml")
    edit(profile, "signals:\n", "identify: none\nsignals:\n")
    checked = check(cell)
    assert checked.problems == ()
    assert checked.model is not None
    assert checked.model.devices["eol"].identify is None
    edit(profile, "identify: none\n", "identify: unknown\n")
    (wrong,) = check(cell).problems
    assert (wrong.code, "or none" in wrong.message) == ("E123", True)


def test_every_bundled_profile_says_how_its_device_is_known():
    report = Report()
    profiles = Profiles(Path("nowhere"), report)
    assert all(profiles.get(name) for name in bundled())
    assert report.problems == ()


def test_an_alarm_may_be_suppressed_by_a_condition_which_is_checked(cell: Path):
    said = "    priority: medium\n"
    edit(cell / "cell.yaml", said, f"{said}    suppress: not plc.magazine_ready\n")
    assert str(load(cell).equipment.alarms[0].suppress) != "None"
    edit(cell / "cell.yaml", "suppress: not plc.magazine_ready", "suppress: not plc.magasine_ready")
    assert codes(cell) == {"E141"}
