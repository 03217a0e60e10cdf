"""A proxy that spoils one message of an OPC UA server, and lets all others pass."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import struct
from collections.abc import Callable, Mapping
from random import Random

from .servers import Proxy

#: Makes what arrives out of one message.
Spoil = Callable[[Random, bytes], bytes]


def _flipped(random: Random, message: bytes) -> bytes:
    """Some bytes behind the header are others."""
    spoiled = bytearray(message)
    for _ in range(random.randint(1, 12)):
        spoiled[random.randrange(8, len(spoiled))] = random.randrange(256)
    return bytes(spoiled)


def _sized(random: Random, message: bytes) -> bytes:
    """It says another length than it has."""
    return (
        message[:4] + struct.pack("<I", random.choice((0, 7, 8, len(message) - 3, 1 << 31, 0xFFFF_FFFF))) + message[8:]
    )


def _endless(random: Random, message: bytes) -> bytes:
    """It never ends."""
    return message[:4] + struct.pack("<I", 0xFFFF_FFF0) + random.randbytes(4 * 1024 * 1024)


def _torn(random: Random, message: bytes) -> bytes:
    """The end is missing, and the next message begins in its place."""
    return message[: random.randrange(1, len(message))]


def _junk(random: Random, message: bytes) -> bytes:
    """Something else comes before it."""
    return random.randbytes(random.randint(1, 64)) + message


def _renumbered(random: Random, message: bytes) -> bytes:
    """It answers another request."""
    return message[:20] + struct.pack("<I", random.randrange(1 << 16)) + message[24:]


def _refused(random: Random, message: bytes) -> bytes:
    """The server says that something is wrong, and nobody knows what."""
    body = struct.pack("<Ii", 0x8000_0000 | random.randrange(1 << 30), 3) + b"why"
    return b"ERRF" + struct.pack("<I", 8 + len(body)) + body


def _unfinished(random: Random, message: bytes) -> bytes:
    """It is only the first of parts that never end."""
    return (message[:3] + b"C" + message[4:]) * random.randint(1, 3)


SPOILS: Mapping[str, Spoil] = {
    "flipped": _flipped,
    "sized": _sized,
    "endless": _endless,
    "torn": _torn,
    "junk": _junk,
    "renumbered": _renumbered,
    "refused": _refused,
    "unfinished": _unfinished,
    "twice": lambda random, message: message * 2,
    "dropped": lambda random, message: b"",
}


class Spoiler(Proxy):
    """Between a client and the server at `port`: message number `place` of each connection is spoiled."""

    def __init__(self, port: int, spoil: Spoil, place: int, seed: int) -> None:
        super().__init__(port)
        self._spoil, self._place = spoil, place
        self._random = Random(seed)
        self.sent = 0

    async def answered(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        number = 0
        try:
            while True:
                header = await source.readexactly(8)
                message = header + await source.readexactly(struct.unpack("<I", header[4:])[0] - 8)
                number += 1
                sent = self._spoil(self._random, message) if number == self._place else message
                self.sent += len(sent)
                sink.write(sent)
                await sink.drain()
        finally:
            sink.transport.abort()
