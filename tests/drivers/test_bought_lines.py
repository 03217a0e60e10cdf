"""Bought devices that speak in lines: the real driver and the bundled profile against the simulated device, over a real
port or pseudo terminal and without a wire."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

from collections.abc import Callable

import pytest

from cellctl.driver import Outcome, WrongDevice
from cellctl_drivers.serial import SerialDriver

from .bought import Bought, described
from .recording import RecordingLink, until


async def test_a_mettler_toledo_balance(bought: Callable[..., Bought]) -> None:
    async with bought("mettler-toledo.mt-sics", weight=12.5) as balance:
        await balance.reads(weight=12.5, stable=True)
        assert await balance.call("zero") == {}
        await balance.reads(weight=0.0)
        balance.set("weight", 22.5)
        assert await balance.call("tare") == {"tare": 10.0}
        balance.set("weight", 25.0)
        assert await balance.call("weigh") == {"weight": 2.5}
        balance.set("stable", False)
        await balance.reads(stable=False)
        balance.set("weight", 999.0)
        assert await balance.bad("weight") == "the balance is overloaded (S +)"


async def test_a_balance_that_does_not_come_to_rest_refuses(bought: Callable[..., Bought]) -> None:
    async with bought("mettler-toledo.mt-sics", speed=10.0, stable=False) as balance:
        assert await balance.fails("zero") == (Outcome.REFUSED, "the balance cannot be zeroed now (Z I)")


async def test_an_and_balance_is_heard(bought: Callable[..., Bought]) -> None:
    async with bought("a-and-d.balance", weight=12.34) as balance:
        await balance.reads(weight=12.34, stable=True, overload=False)
        balance.set("stable", False)
        await balance.reads(stable=False)
        balance.set("weight", 5000.0)
        await balance.reads(overload=True)
        assert "not a number" in await balance.bad("weight")


async def test_an_and_indicator_is_heard(bought: Callable[..., Bought]) -> None:
    async with bought("a-and-d.ad-4403", weight=12.5) as indicator:
        await indicator.reads(weight=12.5, stable=True, kind="GS")


async def test_a_zebra_printer_prints_and_falls_silent(bought: Callable[..., Bought]) -> None:
    async with bought("zebra.zpl", speed=5.0) as printer:
        await printer.reads(ready=True, formats=0, label_length=1245, head_open=False)
        await printer.call("print", text="MOD-12S 0042", copies=2)
        await until(lambda: printer.truth("printed") == 2)
        assert printer.truth("label") == "MOD-12S 0042"
        assert (await printer.fails("print", text="A^XZ", copies=1))[0] is Outcome.REFUSED
        printer.set("paper", False)
        await printer.reads(ready=False)
        assert "the device is silent" in await printer.bad("paper_out")
        printer.set("paper", True)
        await printer.reads(ready=True, paper_out=False)


async def test_a_hioki_battery_tester(bought: Callable[..., Bought]) -> None:
    async with bought("hioki.bt3562", resistance=0.2906, voltage=1.3924) as tester:
        await tester.reads(resistance=0.2906, voltage=1.3924)
        assert await tester.call("measure") == {"resistance": 0.2906, "voltage": 1.3924}
        tester.set("contact", False)
        assert "no contact" in await tester.bad("voltage")
        outcome, reason = await tester.fails("measure")
        assert outcome is Outcome.REFUSED
        assert "no contact" in reason


async def test_a_cognex_reader(bought: Callable[..., Bought]) -> None:
    async with bought("cognex.dataman", code="0614141000036") as reader:
        assert await reader.call("trigger") == {}
        assert await reader.fails("trigger") == (Outcome.REFUSED, "the reader cannot do this now (||0:77[104])")
        await reader.reads(code="0614141000036")


async def test_a_keyence_reader(bought: Callable[..., Bought]) -> None:
    async with bought("keyence.sr", code="MOD-12S-0042") as reader:
        await reader.reads(command="none")
        assert await reader.call("read") == {"code": "MOD-12S-0042"}
        await reader.reads(code="MOD-12S-0042")
        reader.set("code", "")
        assert (await reader.fails("read"))[0] is Outcome.UNKNOWN
        await reader.call("stop_reading")
        assert reader.truth("reading") is False
        await reader.call("lock")


async def test_the_dashboard_of_a_universal_robot(bought: Callable[..., Bought]) -> None:
    async with bought("universal-robots.dashboard", speed=5.0) as robot:
        assert robot.link.ups == ["Connected: Universal Robots Dashboard Server"]
        await robot.reads(mode="POWER_OFF", running=False, program="STOPPED")
        await robot.call("power_on")
        await robot.reads(mode="IDLE")
        await robot.call("release_brake")
        await robot.reads(mode="RUNNING")
        assert await robot.fails("load", program="none.urp") == (
            Outcome.REFUSED,
            "the device answers 'File not found: none.urp'",
        )
        await robot.call("load", program="weld.urp")
        await robot.call("play")
        await robot.reads(running=True, program="PLAYING", loaded="weld.urp")
        await robot.call("stop")
        await robot.reads(running=False, program="STOPPED")


async def test_a_device_that_greets_as_another_is_refused(bought: Callable[..., Bought]) -> None:
    async with bought("mecademic.meca500") as arm:
        error = await arm.pretends()
    assert isinstance(error, WrongDevice)
    assert "STRANGER" in str(error)


async def test_a_mecademic_arm(bought: Callable[..., Bought]) -> None:
    joints = {f"j{number}": 1.5 * number for number in range(1, 7)}
    async with bought("mecademic.meca500", speed=5.0) as arm:
        assert arm.link.ups == ["[3000][Connected to Meca500 R4 v10.1.0.0]"]
        await arm.reads(activated=False, homed=False, error=False, still=True)
        await arm.call("move_joints", **joints)
        await arm.reads(last_error=1005)
        await arm.call("activate")
        await arm.call("home")
        await arm.reads(activated=True, homed=True)
        await arm.call("move_joints", **joints)
        await arm.reads(checkpoint=1)
        assert arm.truth("motions") == 1
        arm.set("collision", True)
        await arm.reads(error=True)
        arm.set("collision", False)
        await arm.call("reset_error")
        await arm.reads(error=False)
        await arm.call("deactivate")
        await arm.reads(activated=False)


async def test_a_tightening_controller(bought: Callable[..., Bought]) -> None:
    async with bought("atlas-copco.open-protocol", speed=5.0) as controller:
        assert controller.link.ups[0].startswith("0002")
        for number, torque in enumerate((4.97, 6.0, 5.01), 1):
            controller.set("torque", torque)
            controller.set("trigger", True)
            await until(lambda number=number: controller.truth("tightened") == number, 8)
            controller.set("trigger", False)
        await controller.reads(id=3, torque=5.01, ok=True, torque_status=1)
        told = [sample.value for sample in controller.link.samples if sample.signal == "dev.id"]
        assert told == [1, 2, 3], "each came when the last was acknowledged"
        await controller.call("select_pset", pset=3)
        assert await controller.fails("select_pset", pset=9) == (
            Outcome.REFUSED,
            "there is no such parameter set (0004001000000000001802)",
        )
        await controller.call("disable_tool")
        assert controller.truth("enabled") is False


async def test_a_tightening_controller_is_asked_for_its_results_at_each_connect() -> None:
    async with Bought("atlas-copco.open-protocol", speed=5.0) as controller:
        await controller.simulation.stop_server("dev")
        await controller.ended()
        controller.set("trigger", True)  # nobody is there who is told of this screw
        await until(lambda: controller.truth("tightened") == 1)
        controller.set("trigger", False)
        await controller.simulation.start_server("dev")
        link = RecordingLink()
        async with controller.again(link):
            controller.set("trigger", True)
            await link.value("id", 2)
        assert [sample.value for sample in link.samples if sample.signal == "dev.id"] == [2]


@pytest.mark.parametrize(
    ("name", "signal", "line", "reason"),
    [
        ("mettler-toledo.mt-sics", "weight", "ET", "the line was disturbed (ET)"),
        ("mettler-toledo.mt-sics", "weight", "S -", "the balance is underloaded (S -)"),
        ("hioki.bt3562", "voltage", " 10.0000E+8,  1.3924E+0", "the measurement is over its range"),
        ("hioki.bt3562", "voltage", "  1.0000E+0, 10.00000E+9", "the probes have no contact"),
        ("keyence.sr", "command", "ER,CMDSTAT,00", "the reader does not know the command (ER,CMDSTAT,00)"),
        ("keyence.sr", "command", "ER,CMDSTAT,02", "a value is out of its range (ER,CMDSTAT,02)"),
        ("mecademic.meca500", "homed", "[1006][The robot is not homed.]", "it is not homed"),
        ("universal-robots.dashboard", "mode", "Failed to execute: robotmode", "Failed to execute"),
    ],
)
def test_what_a_device_refuses_is_told_in_words(name: str, signal: str, line: str, reason: str) -> None:
    driver = SerialDriver(described(name, at="tcp://127.0.0.1:1"))
    assert reason in driver.meaning(signal, [line]).reason
