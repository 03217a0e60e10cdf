"""What `check` finds: every address, row and setting that a driver cannot use, with its place."""

from collections.abc import Mapping
from typing import Any

import pytest

from cellctl.driver import AddressError, Command, CommandClass, Device, Point, Signal
from cellctl_drivers.modbus import ModbusDriver
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.serial import SerialDriver

AT = {"modbus": "modbus://10.0.0.1?unit=3", "opcua": "opc.tcp://10.0.0.1:4840", "serial": "tcp://10.0.0.1:5025"}
DRIVERS: Mapping[str, Any] = {"modbus": ModbusDriver, "opcua": OpcUaDriver, "serial": SerialDriver}
SETTINGS: Mapping[str, Mapping[str, object]] = {"modbus": {}, "opcua": {"namespace": "urn:x"}, "serial": {}}


def build(protocol: str, at: str = "", **parts: Any) -> None:
    """Make the driver of a device with one signal `a` or one command `c`."""
    parts.setdefault("settings", SETTINGS[protocol])
    row = parts.pop("row", None)
    kind = parts.pop("type", "int")
    verify = parts.pop("verify", None)
    points = {}
    if row is not None:
        known = {key: row.pop(key) for key in ("read", "write", "scale") if key in row}
        points = {"a": Point(Signal("dev.a", kind, verify=verify), **known, options=row)}
    command = parts.pop("command", None)
    commands = {"c": Command("c", CommandClass.LEVEL, 10**9, command)} if command is not None else {}
    DRIVERS[protocol](Device("dev", protocol, at or AT[protocol], points, commands, **parts))


def row(**keys: Any) -> dict[str, Any]:
    return {"row": keys}


def call(**keys: Any) -> dict[str, Any]:
    return {"command": {"call": {"method": "path=Machine/Go", **keys}}}


MODBUS = [
    ("modbus:10.0.0.1:99999", {}, ("at",), "65535"),
    ("modbis://10.0.0.1", {}, ("at",), "did you mean 'modbus'"),
    ("modbus://10.0.0.1?unit=256", {}, ("at", "unit"), "0..255"),
    ("modbus://10.0.0.1?unt=2", {}, ("at", "unt"), "did you mean 'unit'"),
    ("modbus://:502", {}, ("at",), "no host"),
    ("modbus+rtu:COM3", {}, ("at",), "no serial port"),
    ("modbus+rtu:/dev/ttyUSB0?parity=even", {}, ("at", "parity"), "N, E, O"),
    ("modbus+tls://10.0.0.1", {}, ("modbus", "server_certificate"), "how is the device known"),
    (
        "modbus+tls://10.0.0.1",
        {"settings": {"authority": "a", "server_certificate": "b"}},
        ("modbus", "server_certificate"),
        "or the",
    ),
    ("modbus+tls://10.0.0.1", {"settings": {"authority": "a", "key": "b"}}, ("modbus", "key"), "belong together"),
    ("", {"settings": {"authority": "a"}}, ("modbus", "authority"), "TLS"),
    ("modbus+rtu:/dev/ttyUSB0", {"settings": {"pipeline": 2}}, ("modbus", "pipeline"), "one request at a time"),
    ("", {"settings": {"pipeline": 33}}, ("modbus", "pipeline"), "1..32"),
    ("", {"settings": {"timout": "1 s"}}, ("modbus", "timout"), "did you mean 'timeout'"),
    ("", {"settings": {"timeout": 300}}, ("modbus", "timeout"), "unit"),
    ("", {"settings": {"word_order": "big"}}, ("modbus", "word_order"), "msw, lsw"),
    ("", {"settings": {"max_registers": 126}}, ("modbus", "max_registers"), "1..125"),
    ("", row(read="holding 2"), ("signals", "a", "read"), "uint16"),
    ("", row(read="holdin 2 int16"), ("signals", "a", "read"), "did you mean 'holding'"),
    ("", row(read="holding 2 in16"), ("signals", "a", "read"), "did you mean 'int16'"),
    ("", row(read="holding x2 int16"), ("signals", "a", "read"), "not an address"),
    ("", row(read="holding 65536 int16"), ("signals", "a", "read"), "65535"),
    ("", row(read="holding 65535 int32"), ("signals", "a", "read"), "65535"),
    ("", row(read="coil 2 int16"), ("signals", "a", "read"), "one bit"),
    ("", row(read="holding 2 bit 16"), ("signals", "a", "read"), "0 to 15"),
    ("", row(read="holding 2 bits 7..4"), ("signals", "a", "read"), "0 to 15"),
    ("", row(read="holding 2 bits 7"), ("signals", "a", "read"), "bits 4..7"),
    ("", row(read="holding 2 int16 3"), ("signals", "a", "read"), "no number"),
    ("", row(read="holding 2 text 500"), ("signals", "a", "read"), "240"),
    ("", row(write="input 2 int16"), ("signals", "a", "write"), "only be read"),
    ("", row(write="holding 2 bit 3"), ("signals", "a", "write"), "a part of a place"),
    ("", row(read="holding 2 int16", scal=2), ("signals", "a", "scal"), "not known"),
    ("", row(read="holding 2 int16", equals=2), ("signals", "a", "equals"), "bool"),
    ("", row(read="holding 2 int16", scale=0), ("signals", "a", "scale"), "scale of 0"),
    ("", {**row(write="holding 2 int16"), "verify": 0.0}, ("signals", "a", "verify"), "read"),
    ("", {"command": {}}, ("commands", "c", "write"), "or a list"),
    ("", {"command": {"write": {"input 3": 1}}}, ("commands", "c", "write"), "only be read"),
    ("", {"command": {"write": {"holding 3": []}}}, ("commands", "c", "write"), "needs a value"),
    ("", {"command": {"write": {"holding 3": [0] * 124}}}, ("commands", "c", "write"), "123"),
    ("", {"command": {"writ": {"holding 3": 1}}}, ("commands", "c", "writ"), "did you mean 'write'"),
    ("", {"command": {"write": [{"wait": "1 s"}]}}, ("commands", "c", "write"), "or a list"),
    ("", {"command": {"write": [{"holding 3": 1}, {"wait": "11 s"}]}}, ("commands", "c", "write"), "10 s at most"),
    ("", {"command": {"write": [{"holding 3": 1}, 4]}}, ("commands", "c", "write"), "is no step"),
    ("", row(write="holding 2/3 bit 3"), ("signals", "a", "write"), "is a bool"),
    ("", row(write="holding 2/3 bit 16"), ("signals", "a", "write"), "0 to 15"),
    ("", row(read="holding 2 int16", alone="yes"), ("signals", "a", "alone"), "neither true nor false"),
    ("", row(read="holding 2 int16", eeprom=True), ("signals", "a", "eeprom"), "cannot be spared"),
    ("", row(write="holding 2 int16", clears=True), ("signals", "a", "clears"), "only what is read"),
    ("", row(read="holding 2 int16", byte_order="middle"), ("signals", "a", "byte_order"), "msb, lsb"),
    ("", {"settings": {"holes": ["inputs 3..4"]}}, ("modbus", "holes"), "input 36..41"),
    ("", {"settings": {"holes": "input 3-4"}}, ("modbus", "holes"), "input 36..41"),
    ("", {"settings": {"prepare": [{"input 3": 1}]}}, ("modbus", "prepare"), "only be read"),
    ("", {"settings": {"busy": "soon"}}, ("modbus", "busy"), "soon"),
    ("", {"identify": {"read": "holding 1 uint16"}}, ("identify",), "'expect' is missing"),
    ("", {"identify": {"read": "holding 1 uint16", "expect": "9..1"}}, ("identify", "expect"), "no number"),
    ("", {"watchdog": {"write": "input 4 uint16"}}, ("watchdog", "write"), "only be read"),
    ("", {"watchdog": {"write": "holding 4 uint16", "every": "0 s"}}, ("watchdog", "every"), "period"),
]

WATCHED = {"write": "holding 9 uint16", "every": "500 ms"}
MODBUS += [
    (
        "",
        {"watchdog": WATCHED, "command": {"write": [{"holding 3": 1}, {"wait": "500 ms"}, {"holding 3": 0}]}},
        ("commands", "c", "write"),
        "watchdog",
    ),
]

OPCUA = [
    ("opc:tcp://10.0.0.1", {}, ("at",), "did you mean 'opc.tcp'"),
    ("", {"settings": {"securty": "none"}}, ("opcua", "securty"), "did you mean 'security'"),
    ("", {"settings": {"certificate": "own.der"}}, ("opcua", "certificate"), "file of the key"),
    ("", {"settings": {"key": "key.pem"}}, ("opcua", "key"), "file of the certificate"),
    ("", {"settings": {"security": "some"}}, ("opcua", "security"), "none, sign_and_encrypt"),
    ("", row(read="Name"), ("signals", "a", "read"), "s=NAME"),
    ("", row(read="ns=3;s=Name"), ("signals", "a", "read"), "URI"),
    ("", row(read="i=abc"), ("signals", "a", "read"), "not a number"),
    ("", {**row(read="s=Name"), "settings": {}}, ("signals", "a", "read"), "no namespace"),
    ("", row(read="s=Name", write="s=Name"), ("signals", "a", "write"), "type"),
    ("", row(read="s=Name", write="s=Name int16"), ("signals", "a", "write"), "did you mean 'Int16'"),
    ("", {"command": {"write": {"s=Name": 1}}}, ("commands", "c", "write"), "type"),
    ("", {"command": {"write": {"s=Name Int16": [1, 2]}}}, ("commands", "c", "write"), "one value"),
    ("", {"command": {"ask": "x"}}, ("commands", "c", "ask"), "not known"),
    ("", {"command": {}}, ("commands", "c", "write"), "or `call"),
    ("", {"command": {"call": "x"}}, ("commands", "c", "call"), "name the method"),
    ("", {"command": {"call": []}}, ("commands", "c", "call"), "nothing to do"),
    ("", {"command": {"call": {"on": "s=A"}}}, ("commands", "c", "call"), "'method' is missing"),
    ("", {"command": {"call": {"method": "s=Go"}}}, ("commands", "c", "call", "method"), "on: ROW"),
    ("", {"command": {"call": {"method": "path=Go"}}}, ("commands", "c", "call", "method"), "on: ROW"),
    ("", call(inputs=["UInt16"]), ("commands", "c", "call", "inputs", 0), "{type: TYPE"),
    ("", call(inputs=[{"type": "Word", "value": 1}]), ("commands", "c", "call", "inputs", 0, "type"), "no type"),
    ("", call(inputs=[{"type": "Byte"}]), ("commands", "c", "call", "inputs", 0, "value"), "one value"),
    ("", call(outputs="status"), ("commands", "c", "call", "outputs"), "lists names"),
    ("", call(outputs=["status"], expect={"stats": 0}), ("commands", "c", "call", "expect"), "did you mean 'status'"),
    ("", call(expect=0, errors=[1]), ("commands", "c", "call", "expect"), "OUTPUT: VALUE"),
    ("", call(within="3 s"), ("commands", "c", "call", "within"), "2 s at most"),
    ("", call(withing="1 s"), ("commands", "c", "call", "withing"), "did you mean 'within'"),
    ("", {**call(within="1 s"), "watchdog": {"write": "s=Beat Byte"}}, ("commands", "c", "call"), "not fed"),
    ("", {"command": {"write": 5}}, ("commands", "c", "write"), "with its type"),
    ("", row(read="g=1-2"), ("signals", "a", "read"), "not a GUID"),
    ("", row(read="b=?"), ("signals", "a", "read"), "not Base64"),
    ("", row(read="i=4294967296"), ("signals", "a", "read"), "not a number"),
    ("", row(read="path="), ("signals", "a", "read"), "empty step"),
    ("", row(read="path=0:Objects"), ("signals", "a", "read"), "1 to 32 steps"),
    ("", row(read="path=A//B"), ("signals", "a", "read"), "empty step"),
    ("", row(read="path=2:A"), ("signals", "a", "read"), "may change"),
    ("", row(read="path=di:A"), ("signals", "a", "read"), "names no namespace"),
    ("", row(read="path=$robot/A"), ("signals", "a", "read"), "$robot stands for"),
    ("", {**row(read="path=$a"), "settings": {"namespace": "u", "$a": "$a"}}, ("signals", "a", "read"), "itself"),
    ("", {**row(read="path=A"), "settings": {}}, ("signals", "a", "read"), "no namespace"),
    ("", {"settings": {"namespaces": "urn:x"}}, ("opcua", "namespaces"), "{di: URI}"),
    ("", {"settings": {"namespaces": {"2": "urn:x"}}}, ("opcua", "namespaces", "2"), "no short name"),
    ("", {"settings": {"queue": 1001}}, ("opcua", "queue"), "1..1000"),
    ("", {"settings": {"sampling": "soon"}}, ("opcua", "sampling"), "soon"),
    ("", row(read="s=A", queue=0), ("signals", "a", "queue"), "1..1000"),
    ("", row(read="s=A", deadband="much"), ("signals", "a", "deadband"), "percentage"),
    ("", row(read="s=A", deadband="100 %"), ("signals", "a", "deadband"), "below 100 %"),
    ("", row(read="s=A", deadband=-1), ("signals", "a", "deadband"), "above 0"),
    ("", {**row(read="s=A", deadband=1), "type": "text"}, ("signals", "a", "deadband"), "text signal"),
    ("", row(read="s=A", element=-1), ("signals", "a", "element"), "outside"),
    ("", row(read="s=A", write="s=A Int16", element=1), ("signals", "a", "element"), "only be read"),
    ("", {"identify": {"namespac": "urn:x"}}, ("identify",), "'namespace' is missing"),
    ("", {"watchdog": {"write": "s=Beat Boolean"}}, ("watchdog", "write"), "whole-number"),
]

SERIAL = [
    ("tcp://10.0.0.1", {}, ("at",), "no port"),
    ("serial:/dev/ttyS0?baud=fast", {}, ("at", "baud"), "whole number"),
    ("", {"settings": {"end": ""}}, ("line", "end"), "end"),
    ("", {"settings": {"error": "ERR ("}}, ("line", "error"), "not a pattern"),
    ("", {"settings": {"errors": "x"}}, ("line", "errors"), "each code"),
    ("", {"settings": {"endd": "x"}}, ("line", "endd"), "did you mean 'end'"),
    ("", row(read="PWR?", reply="PWR (.*)"), ("signals", "a", "reply"), "?P<value>"),
    ("", row(read="PWR?", replay="PWR"), ("signals", "a", "replay"), "did you mean 'reply'"),
    ("", row(read="PWR?\n"), ("signals", "a", "read"), "one line"),
    ("", row(read="PWR?", write="PWR {valu}"), ("signals", "a", "write"), "did you mean 'value'"),
    ("", row(read="PWR?", write="PWR {value:q}"), ("signals", "a", "write"), "filled in"),
    ("", row(read="PWR?", write="PWR {value"), ("signals", "a", "write"), "filled in"),
    ("", row(read="PWR?", write="PWR {value.real}"), ("signals", "a", "write"), "only {name}"),
    ("", {"command": {"ask": "A", "send": "B"}}, ("commands", "c", "ask"), "either"),
    ("", {"command": {}}, ("commands", "c", "ask"), "either"),
    ("", {"command": {"ask": "A", "reply": "("}}, ("commands", "c", "reply"), "not a pattern"),
    ("", {"command": {"send": "A", "reply": "B"}}, ("commands", "c", "reply"), "not known"),
    ("", {"identify": {"ask": "X"}}, ("identify",), "'expect' is missing"),
    ("", {"identify": {"ask": "*IDN?", "expect": "("}}, ("identify", "expect"), "not a pattern"),
    ("", {"watchdog": {"ask": "W", "every": "soon"}}, ("watchdog", "every"), "number with a unit"),
]

CASES = [(name, *case) for name, cases in (("modbus", MODBUS), ("opcua", OPCUA), ("serial", SERIAL)) for case in cases]


@pytest.mark.parametrize(("protocol", "at", "parts", "where", "says"), CASES)
def test_a_mistake_is_told_with_its_place(
    protocol: str, at: str, parts: dict[str, Any], where: tuple[str, ...], says: str
) -> None:
    copied = {**parts, "row": dict(parts["row"])} if "row" in parts else dict(parts)
    with pytest.raises(AddressError) as caught:
        build(protocol, at, **copied)
    assert caught.value.where == where
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("protocol", "at"),
    [
        ("modbus", "modbus://10.0.0.1"),
        ("modbus", "modbus://robot.local:1502?unit=255"),
        ("modbus", "modbus://[fe80::1]:502"),
        ("modbus", "modbus+rtu:/dev/serial/by-id/usb-FTDI_A1?baud=115200&unit=9&parity=E&stop=1"),
        ("modbus", "modbus+rtu+tcp://10.0.0.1:54321?unit=9"),
        ("opcua", "opc.tcp://10.0.0.1"),
        ("opcua", "opc.tcp://10.0.0.1:4840/some/path"),
        ("serial", "serial:/dev/ttyS0?baud=9600&bits=7&parity=E"),
        ("serial", "tcp:10.0.0.1:5025"),
        ("serial", "tcp://10.0.0.1:5025"),
    ],
)
def test_an_address_that_can_be_used(protocol: str, at: str) -> None:
    build(protocol, at)


def test_keys_that_are_only_remarks_are_free() -> None:
    build("modbus", **row(read="holding 2 int16", source="manual p. 4", confidence="A", **{"x-note": 1}))


@pytest.mark.parametrize(
    ("rows", "overlaps"),
    [
        ({"a": "input 0 float32", "b": "input 1 uint16"}, True),
        ({"a": "input 0 float32", "b": "input 1 float32"}, True),
        ({"a": "input 0 float32", "b": "input 2 float32"}, False),
        ({"a": "input 0 float32", "b": "input 0 uint16"}, False),
        ({"a": "input 0 bit 3", "b": "input 0 bit 4"}, False),
        ({"a": "input 0 float32", "b": "holding 1 uint16"}, False),
    ],
)
def test_places_that_overlap_are_found(rows: Mapping[str, str], overlaps: bool) -> None:
    points = {name: Point(Signal(f"dev.{name}", "int"), read) for name, read in rows.items()}
    alone = {name: Point(Signal(f"dev.{name}", "int"), read, options={"alone": True}) for name, read in rows.items()}
    assert ModbusDriver(Device("dev", "modbus", AT["modbus"], alone)) is not None
    if not overlaps:
        assert ModbusDriver(Device("dev", "modbus", AT["modbus"], points)) is not None
        return
    with pytest.raises(AddressError, match="b begins at 1, within a") as told:
        ModbusDriver(Device("dev", "modbus", AT["modbus"], points))
    assert told.value.where == ("signals", "b", "read")
