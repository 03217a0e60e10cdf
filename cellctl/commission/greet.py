"""What a port speaks that no profile knows: listened to, greeted as OPC UA does, and asked for one Modbus register.

The rule kept here: nothing is written. Who listens is sent a greeting or a question of a protocol, each on a connection
of its own, and only so much of the answer is looked at as says which protocol it is.
"""

import asyncio
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

#: How long is waited for what comes unasked, and for each answer.
WAIT_S = 0.7

#: No more of a text is shown.
_SHOWN_MAX = 40

#: A question of Modbus: its number, protocol 0, its length, the unit; then: read one holding register, the first.
_NUMBER = 0x4344
_MODBUS_ANSWERS = (3, 0x83)

#: By these a gateway says that nobody answers behind it.
_NOBODY = (10, 11)

#: What an OPC UA server says to a greeting: that it takes it, or why not.
_OPCUA_ANSWERS = (b"ACKF", b"ERRF")


@dataclass(frozen=True, slots=True)
class Speech:
    """What a port speaks, in a few words, and the address by which it can be browsed."""

    said: str
    at: str


async def greet(host: str, port: int) -> Speech | None:
    """What is spoken there; None if nothing says."""
    if heard := await _answer(host, port, b""):
        shown = heard[:_SHOWN_MAX].decode("ascii", "replace").strip()
        text = shown if shown.isprintable() and "\ufffd" not in shown else heard[:_SHOWN_MAX].hex(" ")
        return Speech(f"it speaks unasked: {text!r}", f"tcp://{host}:{port}")
    if (await _answer(host, port, _hello(host, port)))[:4] in _OPCUA_ANSWERS:
        return Speech("it speaks OPC UA", f"opc.tcp://{host}:{port}")
    if _is_modbus(await _answer(host, port, _modbus(1))):
        return Speech("it speaks Modbus", f"modbus://{host}:{port}?unit=1")
    return None


async def units_at(host: str, port: int, units: Sequence[int]) -> list[int]:
    """Those of the unit numbers that are answered; that a gateway finds nobody is no answer."""
    answers = [(unit, await _answer(host, port, _modbus(unit))) for unit in units]
    return [unit for unit, answer in answers if _is_modbus(answer) and not (answer[7] & 0x80 and answer[8] in _NOBODY)]


def _modbus(unit: int) -> bytes:
    return struct.pack(">HHHBBHH", _NUMBER, 0, 6, unit, 3, 0, 1)


def _hello(host: str, port: int) -> bytes:
    """The greeting of OPC UA: version 0, buffers of 64 KiB, messages of any length, and to whom it goes."""
    url = f"opc.tcp://{host}:{port}".encode()
    body = struct.pack("<IIIIII", 0, 65_536, 65_536, 0, 0, len(url)) + url
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body


def _is_modbus(answer: bytes) -> bool:
    if len(answer) < 9:
        return False
    number, protocol, length, _, function = struct.unpack(">HHHBB", answer[:8])
    return (number, protocol, length) == (_NUMBER, 0, len(answer) - 6) and function in _MODBUS_ANSWERS


async def _answer(host: str, port: int, sent: bytes) -> bytes:
    """The beginning of what comes after `sent`; nothing if nothing does in time."""
    writer = None
    try:
        async with asyncio.timeout(WAIT_S):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(sent)
            return await reader.read(256)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
