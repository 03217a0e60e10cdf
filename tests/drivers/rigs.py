"""One rig per protocol: the same oven behind a real server, and the device description that a driver needs for it.

Every rig has the same signals and commands, so that one suite holds for every driver:
temp 23.5, count 42, flag on, fault and far bad, setpoint writable, clamped accepts and does nothing, locked refuses.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import struct
import threading
from collections.abc import Mapping
from typing import Any

from asyncua import Server, ua
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from cellctl.driver import Command, CommandClass, Device, Driver, Point, Signal
from cellctl.model import driver_for

from .servers import LineDevice, Proxy, Pty, RtuDevice, TcpServer

FAST_NS = 20_000_000

SIGNALS: Mapping[str, Signal] = {
    signal.name: signal
    for signal in (
        Signal("dev.temp", "float", unit="degC", low=-20, high=250),
        Signal("dev.count", "int"),
        Signal("dev.flag", "bool"),
        Signal("dev.fault", "float"),
        Signal("dev.far", "float", unit="bar", low=0, high=10),
        Signal("dev.setpoint", "float", writable=True, low=0, high=220, verify=0.1),
        Signal("dev.clamped", "float", writable=True, verify=0.1),
        Signal("dev.locked", "int", writable=True, verify=0),
    )
}


def point(name: str, read: str, write: str | None = None, **more: Any) -> Point:
    return Point(SIGNALS[name], read, write, **{"every_ns": FAST_NS, **more})


class Rig:
    """A device that runs, and what a test may do to it."""

    protocol = ""
    #: How soon the loss of a frozen device must be noticed.
    frozen_s = 2.5

    async def start(self) -> None:
        """Bring the device up."""

    async def stop(self) -> None:
        """Take the device down."""

    async def kill(self) -> None:
        """The device is gone."""
        await self.stop()

    def freeze(self) -> None:
        """The device does not answer any more."""

    def went(self) -> list[int]:
        """The tokens that the command `go` was executed with."""
        raise AssertionError("each rig says it")

    def described(self, *, identify: bool = True) -> Device:
        """The device as its driver is told; `identify=False`: another one is expected."""
        raise AssertionError("each rig says it")

    def driver(self, *, identify: bool = True) -> Driver:
        """A driver for the device."""
        return driver_for(self.protocol)(self.described(identify=identify))


REGISTERS = {100: 235, 101: 42, 102: 0xFFFF, 103: 32767, 104: 500, 50: 10, 60: 0, 61: 5, 70: 1, 80: 0, 121: 0xE280}

MODBUS_POINTS = {
    "temp": point("temp", "holding 100 int16", scale=0.1),
    "count": point("count", "holding 101 uint16"),
    "flag": point("flag", "holding 102 bit 15"),
    "fault": point("fault", "holding 103 int16", scale=0.1, bad_if=(32767,)),
    "far": point("far", "holding 104 uint16"),
    "setpoint": point("setpoint", "holding 50 uint16", "holding 50 uint16"),
    "clamped": point("clamped", "holding 60 uint32", "holding 60 uint32"),
    "locked": point("locked", "holding 70 uint16", "holding 70 uint16"),
}
GO = Command("go", CommandClass.PULSE, 2_000_000_000, {"write": {"holding 80": "$token"}})


class ModbusTcpRig(Rig):
    """pymodbus's own server."""

    protocol = "modbus"

    async def start(self) -> None:
        holding = [SimData(at, values=[value], datatype=DataType.REGISTERS) for at, value in sorted(REGISTERS.items())]
        blank = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        words = [SimData(0, values=[0] * 4, datatype=DataType.REGISTERS)]
        device = SimDevice(id=3, action=self._action, simdata=(blank, blank, holding, words))
        self._tokens: list[int] = []
        self._server = self.server(device)
        await self._server.serve_forever(background=True)
        self._proxy = await Proxy(self._server.transport.sockets[0].getsockname()[1]).start()

    def server(self, device: SimDevice) -> ModbusTcpServer:
        return ModbusTcpServer(device, address=("127.0.0.1", 0))

    async def stop(self) -> None:
        await self._proxy.close()
        await self._server.shutdown()
        await asyncio.sleep(0.01)

    async def _action(
        self, function: int, start: int, address: int, count: int, registers: list[int], values: list[int] | None
    ) -> ExcCodes | None:
        if values is None:
            return None
        if address == 70:
            return ExcCodes.ILLEGAL_VALUE
        if address == 60:
            values[:] = [0, 5]
        if address == 80:
            self._tokens.append(values[0])
        return None

    def freeze(self) -> None:
        self._proxy.open.clear()

    def went(self) -> list[int]:
        return self._tokens

    def described(self, *, identify: bool = True) -> Device:
        return Device(
            "dev",
            "modbus",
            f"modbus://127.0.0.1:{self._proxy.port}?unit=3",
            MODBUS_POINTS,
            {"go": GO},
            {"timeout": "150 ms"},
            {"read": "holding 121 uint16", "expect": 0xE280 if identify else 0xE281},
        )


class ModbusRtuRig(Rig):
    """Our own RTU device on a pty."""

    protocol = "modbus"

    async def start(self) -> None:
        self.device = RtuDevice(dict(REGISTERS))
        self.pty = Pty(self.device)

    async def stop(self) -> None:
        self.pty.close()

    def freeze(self) -> None:
        self.device.fault.silent = True

    def went(self) -> list[int]:
        writes = [struct.unpack(">BBHH", request[:6]) for request in self.device.seen]
        return [value for _, function, address, value in writes if function == 6 and address == 80]

    def described(self, *, identify: bool = True) -> Device:
        return Device(
            "dev",
            "modbus",
            f"modbus+rtu:{self.pty.path}?baud=115200&unit=9",
            MODBUS_POINTS,
            {"go": GO},
            {"timeout": "100 ms"},
            {"read": "holding 121 uint16", "expect": 0xE280 if identify else 0xE281},
        )


def _asked(name: str, word: str, *, sets: bool = False, **more: Any) -> Point:
    options = {"reply": rf"{word} (?P<value>\S+)"}
    return point(name, f"{word}?", f"{word} {{value:.0f}}" if sets else None, options=options, **more)


LINE_POINTS = {
    "temp": _asked("temp", "TEMP"),
    "count": _asked("count", "COUNT"),
    "flag": _asked("flag", "FLAG"),
    "fault": _asked("fault", "FAULT", bad_if=(9.9e37,)),
    "far": _asked("far", "FAR"),
    "setpoint": _asked("setpoint", "SET", sets=True),
    "clamped": _asked("clamped", "CLAMP", sets=True),
    "locked": _asked("locked", "LOCKED", sets=True),
}
LINE_GO = {"ask": "GO {token}", "reply": r"WENT {token} PEAK (?P<peak>[\d.]+)"}
LINE_SETTINGS = {
    "end": "\r\n",
    "timeout": "100 ms",
    "ack": "OK",
    "error": r"ERR (?P<code>\d+)",
    "errors": {2: "the value is out of range"},
}


class LineTcpRig(Rig):
    """The line device over TCP."""

    protocol = "serial"

    async def start(self) -> None:
        self.device = LineDevice()
        self.server = await TcpServer(self.device).start()

    async def stop(self) -> None:
        await self.server.close()

    def freeze(self) -> None:
        self.device.fault.silent = True

    def went(self) -> list[int]:
        return self.device.went

    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.server.port}"

    def described(self, *, identify: bool = True) -> Device:
        go = Command("go", CommandClass.PULSE, 2_000_000_000, LINE_GO)
        expect = "OVEN,.*" if identify else "FRIDGE,.*"
        identity = {"ask": "*IDN?", "expect": expect}
        return Device("dev", "serial", self.address(), LINE_POINTS, {"go": go}, LINE_SETTINGS, identity)


class LinePtyRig(LineTcpRig):
    """The line device on a pty."""

    async def start(self) -> None:
        self.device = LineDevice()
        self.pty = Pty(self.device)

    async def stop(self) -> None:
        self.pty.close()

    def address(self) -> str:
        return f"serial:{self.pty.path}?baud=115200"


URI = "urn:test:oven"
_NODES: Mapping[str, tuple[str, Any, ua.VariantType]] = {
    "temp": ("Temp", 23.5, ua.VariantType.Double),
    "count": ("Count", 42, ua.VariantType.UInt16),
    "flag": ("Flag", True, ua.VariantType.Boolean),
    "far": ("Far", 500.0, ua.VariantType.Float),
    "setpoint": ("Set", 10, ua.VariantType.Int16),
    "clamped": ("Clamp", 5, ua.VariantType.Int16),
    "locked": ("Locked", 1, ua.VariantType.Int16),
}


class OpcUaServer:
    """asyncua's own server in a thread of its own, for all tests of a module: it takes seconds to start."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.tokens: list[int] = []
        self.do(self._start())

    def do(self, work: Any) -> Any:
        """Run a coroutine beside the server."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def close(self) -> None:
        self.do(self.server.stop())
        self.do(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self.server = Server()
        await self.server.init()
        self.server.set_endpoint("opc.tcp://127.0.0.1:0/oven/")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        await self.server.register_namespace("urn:test:other")
        self.index = await self.server.register_namespace(URI)
        self.nodes = {}
        for name, (path, value, kind) in _NODES.items():
            self.nodes[name] = await self.server.nodes.objects.add_variable(
                ua.NodeId(path, self.index), ua.QualifiedName(path, self.index), value, kind
            )
        self.nodes["fault"] = await self.server.nodes.objects.add_variable(
            ua.NodeId("Fault", self.index), ua.QualifiedName("Fault", self.index), 1.0
        )
        self.nodes["token"] = await self.server.nodes.objects.add_variable(
            ua.NodeId("Token", self.index), ua.QualifiedName("Token", self.index), 0, ua.VariantType.UInt16
        )
        for name in ("setpoint", "clamped", "token"):
            await self.nodes[name].set_writable()
        await self.server.start()
        self.port = self.server.bserver._server.sockets[0].getsockname()[1]
        await self.nodes["fault"].write_value(
            ua.DataValue(ua.Variant(1.0, ua.VariantType.Double), ua.StatusCode(ua.StatusCodes.BadSensorFailure))
        )
        self.server.set_attribute_value_setter(self.nodes["clamped"].nodeid, lambda *_: None)
        self.server.set_attribute_value_setter(self.nodes["token"].nodeid, self._go)

    def _go(self, _node: Any, _attribute: Any, value: ua.DataValue) -> None:
        self.tokens.append(value.Value.Value)


class OpcUaRig(Rig):
    """The shared OPC UA server, behind a proxy of its own."""

    protocol = "opcua"

    def __init__(self, server: OpcUaServer) -> None:
        self.server = server

    async def start(self) -> None:
        self.server.tokens.clear()
        self.proxy = await Proxy(self.server.port).start()

    async def stop(self) -> None:
        await self.proxy.close()

    def freeze(self) -> None:
        self.proxy.open.clear()

    def went(self) -> list[int]:
        return self.server.tokens

    def described(self, *, identify: bool = True) -> Device:
        points = {name: point(name, f"s={path}") for name, (path, *_) in _NODES.items()}
        points["fault"] = point("fault", "s=Fault")
        for name in ("setpoint", "clamped", "locked"):
            path = _NODES[name][0]
            points[name] = point(name, f"s={path}", f"s={path} Int16")
        return Device(
            "dev",
            "opcua",
            f"opc.tcp://127.0.0.1:{self.proxy.port}/oven/",
            points,
            {"go": Command("go", CommandClass.PULSE, 2_000_000_000, {"write": {"s=Token UInt16": "$token"}})},
            {"namespace": URI, "publishing": "20 ms", "timeout": "600 ms", "security": "none"},
            {"namespace": URI if identify else "urn:test:fridge"},
        )
