"""The same oven without a wire: what each driver's direct form is held against."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

from collections.abc import Callable
from typing import Any

from cellctl.driver import Command, CommandClass, Device, Driver, Unwilling, Value
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.serial import SerialDriver
from cellctl_simulators.servers.contact import DeviceContact
from cellctl_simulators.wire import Lines, Node, Nodes, Registers

from .rigs import _NODES, GO, LINE_GO, LINE_POINTS, LINE_SETTINGS, MODBUS_POINTS, REGISTERS, URI, Rig, point
from .servers import LineDevice


class OvenRegisters(Registers):
    """60..61 keep their value, 70 refuses."""

    def __init__(self) -> None:
        super().__init__(writable=(50, 60, 61, 70, 80))
        self.holding = dict(REGISTERS)
        self.tokens: list[int] = []

    def write(self, function: int, address: int, values: Any) -> None:
        if address == 70:
            raise Unwilling("the device does not accept this value or length")
        if address == 80:
            self.tokens += values
        if address != 60:
            super().write(function, address, values)


class OvenLines(Lines):
    """The line device of the wire, asked directly."""

    def __init__(self) -> None:
        super().__init__()
        self.device = LineDevice()

    def settle(self) -> None:
        for ask in self.take():
            ask.reply(self.device.respond(ask.text.encode()).decode().strip())


class OvenNodes(Nodes):
    """Clamp keeps its value, Token is noted, Fault tells nothing."""

    def __init__(self) -> None:
        nodes = {
            path: Node(kind.name, value, name in ("setpoint", "clamped"))
            for name, (path, value, kind) in _NODES.items()
        }
        super().__init__(URI, {**nodes, "Token": Node("UInt16", 0, writable=True)})
        self.tokens: list[int] = []

    def write(self, name: str, value: Value, type: str) -> None:
        if name == "Token":
            self.tokens.append(int(value))
        if name != "Clamp":
            super().write(name, value, type)


class DirectRig(Rig):
    """A device that is touched, not spoken to."""

    wire: Any
    settle: Callable[[], None] = staticmethod(lambda: None)

    async def start(self) -> None:
        self.contact = DeviceContact(self.wire, self.settle, lambda: False)
        await self.contact.start()

    async def stop(self) -> None:
        await self.contact.stop()

    def freeze(self) -> None:
        self.contact.suffer("silent")

    def driver(self, *, identify: bool = True) -> Driver:
        made = {"modbus": ModbusDriver, "opcua": OpcUaDriver, "serial": SerialDriver}[self.protocol]
        return made.direct(self.described(identify=identify), self.contact)


class DirectModbusRig(DirectRig):
    protocol = "modbus"

    def __init__(self) -> None:
        self.wire = OvenRegisters()

    def went(self) -> list[int]:
        tokens: list[int] = self.wire.tokens
        return tokens

    def described(self, *, identify: bool = True) -> Device:
        expect = 0xE280 if identify else 0xE281
        identity = {"read": "holding 121 uint16", "expect": expect}
        return Device(
            "dev", "modbus", "modbus://127.0.0.1:1", MODBUS_POINTS, {"go": GO}, {"timeout": "150 ms"}, identity
        )


class DirectLineRig(DirectRig):
    protocol = "serial"

    def __init__(self) -> None:
        self.wire = OvenLines()
        self.settle = self.wire.settle

    def went(self) -> list[int]:
        went: list[int] = self.wire.device.went
        return went

    def described(self, *, identify: bool = True) -> Device:
        go = Command("go", CommandClass.PULSE, 2_000_000_000, LINE_GO)
        identity = {"ask": "*IDN?", "expect": "OVEN,.*" if identify else "FRIDGE,.*"}
        return Device("dev", "serial", "tcp://127.0.0.1:1", LINE_POINTS, {"go": go}, LINE_SETTINGS, identity)


class DirectOpcUaRig(DirectRig):
    protocol = "opcua"

    def __init__(self) -> None:
        self.wire = OvenNodes()

    def went(self) -> list[int]:
        tokens: list[int] = self.wire.tokens
        return tokens

    def described(self, *, identify: bool = True) -> Device:
        points = {name: point(name, f"s={path}") for name, (path, *_) in _NODES.items()}
        points["fault"] = point("fault", "s=Fault")
        for name in ("setpoint", "clamped", "locked"):
            path = _NODES[name][0]
            points[name] = point(name, f"s={path}", f"s={path} Int16")
        go = Command("go", CommandClass.PULSE, 2_000_000_000, {"write": {"s=Token UInt16": "$token"}})
        settings = {"namespace": URI, "publishing": "20 ms", "timeout": "600 ms"}
        identity = {"namespace": URI if identify else "urn:test:fridge"}
        return Device("dev", "opcua", "opc.tcp://127.0.0.1:1", points, {"go": go}, settings, identity)


DIRECT_RIGS = {"direct-modbus": DirectModbusRig, "direct-line": DirectLineRig, "direct-opcua": DirectOpcUaRig}
