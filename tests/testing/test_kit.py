"""The fixtures of the test kit on the bundled cell: what a developer writes, and what it proves."""

import asyncio
import os
from pathlib import Path

import pytest

from cellctl.core.memory import FORMAT
from cellctl.core.messages import Refused, StartChangeover
from cellctl.testing import CellInvalid, Deadlock, NotAccepted, Setup, UnknownName, VirtualLoop, cell_model, on_bench
from cellctl.testing.cells import simulated_model

LEVELS = pytest.mark.parametrize(
    "level",
    [
        pytest.param("direct", marks=pytest.mark.cell("battery-module")),
        pytest.param("wire", marks=pytest.mark.cell("battery-module", wire=True)),
    ],
)


@LEVELS
async def test_a_lost_laser_holds_the_cell_and_no_point_is_welded_twice(cell, clock, operator, world, level):
    job = await cell.produce("module-12s", quantity=1)
    await clock.until(lambda: world.get("laser.shots") >= 5)
    await cell.bench.simulation.stop_server("laser")
    took_s = await clock.until("Held", limit="20 s")
    assert took_s < 2.5
    await clock.advance("30 s")
    await cell.bench.simulation.start_server("laser")
    await clock.until(lambda: "unhold" in cell.view.commands, limit="4 s")
    operator.press("unhold")
    await clock.until(job.done, limit="5 min")
    assert world.welds("part-1") == list(range(1, 25))
    assert world.truth()["violations"] == []
    assert (job.good, job.reject, job.parts) == (1, 0, ["job-1-0001"])
    cell.assert_states("Execute", "Holding", "Held", "Unholding", "Execute")
    cell.assert_order("laser.on", "laser.fire", "laser.off", "laser.on", "laser.fire", "laser.off")
    cell.assert_part("job-1-0001", result="good", values={"code": "M000001"})


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_cell_begins_as_its_marker_says(cell, clock, journal):
    assert cell.state == "Idle"
    assert cell.view.recipe.id == "module-8s"
    assert clock.now < 60
    assert journal.verify().broken_at is None
    assert journal.noted("recipe")[0]["recipe"] == "module-8s"


@pytest.mark.cell("battery-module")
async def test_hours_pass_while_nobody_does_anything(cell, clock):
    before_ns = clock.now_ns
    await clock.advance("2 h")
    assert clock.now_ns - before_ns == 2 * 3_600 * 10**9
    assert (cell.state, cell.why) == ("Stopped", ["The cell is Stopped", "There is no job"])


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_wait_in_vain_is_told_at_once_with_what_everything_waits_for(cell, clock, operator):
    job = await cell.produce("module-8s", 1)
    await clock.advance("4 s")
    operator.press("hold")
    with pytest.raises(Deadlock) as told:
        await clock.until(job.done)
    assert "this will never be so" in str(told.value)
    assert "the cell is Held" in str(told.value)
    assert clock.now < 60, "an hour was the limit"


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_wait_for_a_person_says_what_is_asked(cell, clock, operator, world):
    world.set("laser.weak_rate", 1.0)
    job = await cell.produce("module-8s", 1)
    with pytest.raises(Deadlock, match=r"asked: job-1-0001/weld_busbars.*weak weld"):
        await clock.until(job.done)
    world.set("laser.weak_rate", 0.0)
    operator.answer("scrap")
    await clock.until(job.done)
    assert (job.good, job.reject) == (0, 1)
    cell.assert_part("job-1-0001", result="scrap")
    with pytest.raises(AssertionError, match="is scrap, not good"):
        cell.assert_part("job-1-0001", result="good")


@pytest.mark.cell("battery-module")
async def test_conditions_and_states_are_waited_for_in_the_words_of_the_files(cell, clock, world):
    world.set("plc.air_pressure", 5.0)
    assert await clock.until("plc.air_pressure < 5.2 bar", limit="2 s") < 1
    with pytest.raises(ValueError, match=r"until\('Hled'\): neither a state nor .* \(did you mean 'Held'\?\)"):
        await clock.until("Hled")
    with pytest.raises(ValueError, match=r"neither a state nor a condition.*did you mean"):
        await clock.until("plc.air_presure < 5 bar")
    with pytest.raises(AssertionError, match=r"not within 3 s: the state Execute\n.*the cell is Stopped"):
        await clock.until("execute", limit="3 s")


@pytest.mark.cell("battery-module")
async def test_what_the_operator_does_must_be_accepted(cell, clock, operator):
    operator.press("start")
    with pytest.raises(NotAccepted, match=r"operator's start was refused: Start is not possible in state Stopped"):
        await clock.advance("1 s")
    await clock.advance("1 s")
    assert "not possible" in await operator.press("hold").refused()
    with pytest.raises(NotAccepted):
        await operator.press("hold")
    with pytest.raises(AssertionError, match="was accepted"):
        await operator.mode("maintenance").refused()
    with pytest.raises(NotAccepted, match="nothing is asked"):
        operator.answer("retry")
    with pytest.raises(NotAccepted, match="no changeover"):
        operator.scan("F-12S")
    assert isinstance(await cell.submit(StartChangeover("module-99")), Refused)


@pytest.mark.cell("battery-module")
async def test_a_changeover_step_by_step(cell, clock, operator, journal):
    operator.badge("anna")
    await cell.bench.do(StartChangeover("module-12s"))
    await operator.confirm()
    await clock.advance("1 s")
    assert "wanted 'F-12S'" in await operator.scan("F-8S").refused()
    await operator.scan("F-12S")
    await operator.confirm_steps()
    assert [step["evidence"] for step in journal.noted("changeover.step")] == ["", "", "F-12S", ""]
    assert journal.noted("request")[-1]["by"] == "anna"
    await cell.bench.do(StartChangeover("module-8s"))
    await operator.cancel_changeover()
    assert cell.view.recipe is None


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_claims_that_are_not_true_say_what_is(cell, clock, operator):
    job = await cell.produce("module-8s", 1)
    await clock.advance("5 s")
    begun = clock.now
    with pytest.raises(AssertionError, match=r"not safe: .*was sent after laser\.off"):
        cell.assert_safe()
    operator.press("abort")
    await clock.until("Aborted")
    cell.assert_safe()
    cell.assert_order("laser.on", "laser.o*", since=begun - 3)
    with pytest.raises(AssertionError, match=r"eol\.measure was not sent after laser\.fire: "):
        cell.assert_order("laser.fire", "eol.measure")
    with pytest.raises(AssertionError, match=r"sent nevertheless: .*laser\.off at"):
        cell.assert_no_writes("laser.*", since=begun)
    cell.assert_no_writes("meter.*")
    with pytest.raises(AssertionError, match="not Held > Execute: "):
        cell.assert_states("Held", "Execute")
    with pytest.raises(AssertionError, match="window_dirty is not active; active are: none"):
        cell.assert_alarm("window_dirty")
    cell.assert_no_alarm()
    with pytest.raises(AssertionError, match="there is no part 'x'; there are: job-1-0001"):
        cell.assert_part("x")
    with pytest.raises(AssertionError, match="no 'weight' was recorded of job-1-0001; recorded were: code"):
        cell.assert_part(job.parts[0], values={"weight": 3})


@pytest.mark.cell("battery-module")
async def test_a_dirty_window_is_an_alarm_and_a_signal_settles(cell, clock, world):
    world.set("laser.window", 80.0)
    await clock.advance("10 s")
    cell.assert_alarm("window_dirty")
    assert await cell.assert_settles("laser.window", 80, band=1, within="10 s") == 0
    with pytest.raises(AssertionError, match=r"laser\.window does not settle at 95 \+- 1: it was 80\.0\.\.80\.0"):
        await cell.assert_settles("laser.window", 95, band=1, within="5 s")
    with pytest.raises(AssertionError, match="active alarms: window_dirty"):
        cell.assert_no_alarm()


@pytest.mark.cell("battery-module")
async def test_an_unknown_name_says_what_was_meant(cell, clock, operator, world):
    for wrong, meant in (
        (lambda: cell.signal("laser.windwo"), "There is no signal 'laser.windwo'. Did you mean 'laser.window'?"),
        (lambda: operator.press("strat"), "There is no command 'strat'. Did you mean 'start'?"),
        (lambda: operator.mode("manul"), "There is no mode 'manul'. Did you mean 'manual'?"),
        (lambda: cell.assert_states("Helt"), "There is no state 'Helt'. Did you mean 'Held'?"),
        (lambda: cell.assert_alarm("window"), "There is no alarm 'window'. Did you mean 'window_dirty'?"),
    ):
        with pytest.raises(UnknownName) as told:
            wrong()
        assert str(told.value) == meant
    with pytest.raises(UnknownName, match=r"'module-12'\. Did you mean 'module-12s'"):
        await cell.produce("module-12")
    with pytest.raises(ValueError, match=r"did you mean 'laser\.shots'"):
        world.get("laser.shosts")
    with pytest.raises(AttributeError, match=r"the world of this cell has no 'wields'; it has .*welds"):
        world.wields("part-1")


def open_files(folder):
    held = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.exists()]
    return [path for path in held if path.startswith(str(folder))]


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_killed_control_holds_no_file(cell, clock):
    await clock.advance("30 s")  # so that the history is written too
    whoever_still_has_it = cell.bench.control
    assert any(path.endswith("history.db") for path in open_files(cell.bench.setup.folder))
    await cell.bench.kill()
    assert open_files(cell.bench.setup.folder) == []
    assert not whoever_still_has_it.cell.missing


@pytest.mark.cell("battery-module", recipe="module-8s", state="Idle")
async def test_a_killed_control_leaves_what_was_on_disk_and_comes_up_aborted(cell, clock, world, journal, operator):
    await cell.produce("module-8s", 1)
    await clock.until(lambda: world.get("laser.shots") >= 3)
    cell.bench.disk.kill_at = cell.bench.control.journal.sequence + 3
    await clock.until(lambda: not cell.bench.alive, limit="5 s")
    await cell.bench.kill()
    shots = world.get("laser.shots")
    await clock.advance("5 s")
    assert world.get("laser.shots") - shots <= 1, "what was on its way may arrive, nothing else leaves"
    assert world.get("laser.on") is False, "the laser's watchdog has switched it off"
    last = cell.bench.records.latest(limit=1)[0].sequence
    await cell.bench.power_on()
    assert cell.state == "Aborted"
    assert cell.bench.records.verify().broken_at is None
    assert journal.noted("start")[-1] == {"clean": False, "format": FORMAT, "state": "Aborted"}
    assert journal.entries()[last].kind == "start", "nothing was lost, and nothing was written by the dead"
    assert "laser.off" in cell.bench.control.cell.safe_side.owed, "nobody knows what the end left on"
    await clock.until(lambda: not cell.bench.control.cell.safe_side.owed, limit="20 s")
    cell.assert_alarm("system.restart", state="returned")
    with pytest.raises(AssertionError, match=r"the alarm system\.restart is returned, not acknowledged"):
        cell.assert_alarm("system.restart", state="acknowledged")
    await operator.acknowledge("system.restart")
    cell.assert_alarm("system.restart", state="normal")


def test_a_cell_with_wrong_files_is_told_as_check_tells_it(tmp_path: Path) -> None:
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: x, name: X}\ndevicess: {}\n")
    with pytest.raises(CellInvalid, match=r"cell\.yaml:3:1: error E\d+: .*devicess"):
        cell_model(tmp_path)
    with pytest.raises(CellInvalid, match="there is no cell"):
        cell_model("batery-module")


def test_a_cell_with_a_device_that_has_no_model_is_told_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    profile = "cellctl: 1\nprofile: {id: pump, version: 1, protocol: modbus, vendor: V, source: S, confidence: B}\n"
    signals = "signals: {on: {type: bool, read: coil 1, every: 1 s}}\n"
    (tmp_path / "profiles" / "pump.yaml").write_text(profile + signals)
    devices = ", ".join(f'{name}: {{profile: pump, at: "modbus://192.0.2.{n}"}}' for n, name in enumerate("ab", 1))
    (tmp_path / "cell.yaml").write_text(f"cellctl: 1\ncell: {{id: x, name: X}}\ndevices: {{{devices}}}\n")
    with pytest.raises(CellInvalid, match=r"a \(and b\) cannot be simulated: write a device model into models/"):
        simulated_model(tmp_path)
    assert simulated_model(tmp_path, ("a", "b")) is cell_model(tmp_path), "recordings stand in their places"


def test_a_cell_is_checked_again_when_a_file_is_another(tmp_path: Path) -> None:
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: x, name: X}\ndevices: {}\n")
    first = cell_model(tmp_path)
    assert cell_model(tmp_path) is first
    (tmp_path / "cell.yaml").write_text("cellctl: 1\ncell: {id: y, name: Y}\ndevices: {}\n")
    os.utime(tmp_path / "cell.yaml", (1, 1))
    assert cell_model(tmp_path).equipment.id == "y"


def test_what_the_operator_does_last_must_be_accepted_too(tmp_path: Path) -> None:
    async def press() -> None:
        async with on_bench(Setup(cell_model("battery-module"), tmp_path)) as cell:
            cell.operator.press("unhold")

    with (
        pytest.raises(NotAccepted, match=r"the operator's unhold was refused: Unhold is not possible in state Stopped"),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(press())
