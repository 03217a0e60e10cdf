"""The far ends of the wires: a pty with a device behind it, a TCP line server, and a proxy that can fail.

The devices here are small, written for these tests, and share nothing with the drivers.
"""

import asyncio
import contextlib
import os
import struct
import tempfile
import tty
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

Respond = Callable[[bytes], bytes]


class Fault:
    """What is wrong with a device at the moment."""

    def __init__(self) -> None:
        self.silent = False
        self.delays_s: list[float] = []  # for the next answers, one each
        self.garbage: list[bytes] = []  # sent instead of the next answers


class Wire:
    """The device's side of a connection: collects bytes, answers each whole request, as late as the fault says."""

    def __init__(self, device: "Device", send: Callable[[bytes], None]) -> None:
        self._device = device
        self._send = send
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        self._buffer += data
        while size := self._device.request_size(self._buffer):
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            self._device.seen.append(request)
            self._device.log.append((asyncio.get_running_loop().time(), "<", request))
            answer = self._device.respond(request)
            fault = self._device.fault
            if fault.silent or not answer:
                continue
            if fault.garbage:
                answer = fault.garbage.pop(0)
            delay_s = fault.delays_s.pop(0) if fault.delays_s else 0.0
            asyncio.get_running_loop().call_later(delay_s, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        self._device.log.append((asyncio.get_running_loop().time(), ">", answer))
        self._send(answer)


class Device:
    """A device that is asked and answers."""

    def __init__(self) -> None:
        self.fault = Fault()
        self.seen: list[bytes] = []
        self.log: list[tuple[float, str, bytes]] = []  # when what came in ("<") or went out (">")
        self.address = ""

    def request_size(self, data: bytes) -> int:
        """The length of the whole request at the beginning of `data`, or 0."""
        raise AssertionError("each device says it")

    def respond(self, request: bytes) -> bytes:
        """The answer, or nothing."""
        raise AssertionError("each device says it")


class Pty:
    """A pty whose other end a driver opens as a serial port, by a path that nothing else gets after it; all devices
    stand on the line behind it."""

    def __init__(self, *devices: Device) -> None:
        self._devices = devices
        self._folder = tempfile.TemporaryDirectory(prefix="pty-")
        self.path = f"{self._folder.name}/port"
        self.plug()

    def plug(self) -> None:
        """Be there; after `unplug` once more."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.symlink(os.ttyname(self._slave), self.path)
        os.set_blocking(self._master, False)
        self._wires = [Wire(device, self.send) for device in self._devices]
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def send(self, data: bytes) -> None:
        if self._master >= 0:
            os.write(self._master, data)

    def unplug(self) -> None:
        """The port is gone."""
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        os.unlink(self.path)
        self._master = -1

    def close(self) -> None:
        if self._master >= 0:
            self.unplug()
        self._folder.cleanup()

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except (BlockingIOError, OSError):
            return
        for wire in self._wires:
            wire.feed(data)


class MemoryLine(asyncio.Protocol):
    """The same on a line in memory, on a loop of `cellctl.testing`."""

    path = "/dev/line"

    def __init__(self, *devices: Device) -> None:
        self._devices = devices

    async def plug(self) -> None:
        """Be there."""
        loop: Any = asyncio.get_running_loop()
        self._server = await loop.create_serial_server(lambda: self, self.path)

    def connection_made(self, transport: Any) -> None:
        self.send = transport.write
        self._wires = [Wire(device, transport.write) for device in self._devices]

    def data_received(self, data: bytes) -> None:
        for wire in self._wires:
            wire.feed(data)

    def close(self) -> None:
        self._server.close()


class TcpServer:
    """A TCP server with `devices` behind every connection."""

    def __init__(self, *devices: Device) -> None:
        self._devices = devices
        self._writers: list[asyncio.StreamWriter] = []
        self._deaf: set[asyncio.StreamWriter] = set()

    @property
    def connections(self) -> int:
        """How many there have been."""
        return len(self._writers)

    async def start(self) -> "TcpServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def go_deaf(self) -> None:
        """Know nothing any more of the connections that there are, and say nothing."""
        self._deaf.update(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.send = writer.write
        wires = [Wire(device, writer.write) for device in self._devices]
        try:
            while data := await reader.read(4096):
                for wire in () if writer in self._deaf else wires:
                    wire.feed(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


class Proxy:
    """A TCP proxy that can hold everything back, or cut every connection; who extends it says what else it does."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self.open = asyncio.Event()
        self.open.set()

    async def start(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.sleep(0.02)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """For the length of the block; its port."""
        await self.start()
        try:
            yield self.port
        finally:
            await self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        for pump in (self.asked(reader, far_writer), self.answered(far_reader, writer)):
            task = asyncio.create_task(self._until_it_ends(pump))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _until_it_ends(self, pump: Coroutine[Any, Any, None]) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await pump

    async def asked(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry what the client sends."""
        await self.carry(source, sink)

    async def answered(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry what the server sends."""
        await self.carry(source, sink)

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self.open.wait()
                sink.write(data)
        finally:
            sink.transport.abort()


class LineDevice(Device):
    """An oven that speaks in lines: `NAME?` asks, `NAME VALUE` sets, `GO token` runs."""

    def __init__(self) -> None:
        super().__init__()
        self.values = {"TEMP": "23.5", "COUNT": "42", "FLAG": "1", "FAULT": "9.9e37", "FAR": "500", "SET": "10"}
        self.values |= {"CLAMP": "5", "LOCKED": "1", "WORD": "abc", "NAN": "nan"}
        self.identity = "OVEN,1"
        self.went: list[int] = []

    def request_size(self, data: bytes) -> int:
        return data.find(b"\r\n") + 2 if b"\r\n" in data else 0

    def respond(self, request: bytes) -> bytes:
        text = request.decode().strip()
        return (self._answer(text) + "\r\n").encode()

    def _answer(self, text: str) -> str:
        name, _, value = text.partition(" ")
        if text == "*IDN?":
            return self.identity
        if name == "GO":
            self.went.append(int(value))
            return f"WENT {value} PEAK 12.5"
        if name == "BEAT":
            return "OK"
        if name.endswith("?") and name[:-1] in self.values:
            return f"{name[:-1]} {self.values[name[:-1]]}"
        if name == "LOCKED" or name not in self.values:
            return "ERR 2"
        if name != "CLAMP":
            self.values[name] = value
        return "OK"


class RtuDevice(Device):
    """Holding registers behind Modbus RTU; 60..61 keep their value, 70 refuses."""

    def __init__(self, registers: dict[int, int], unit: int = 9) -> None:
        super().__init__()
        self.registers, self.unit = registers, unit

    def request_size(self, data: bytes) -> int:
        if len(data) < 8:
            return 0
        size = 9 + data[6] if data[1] == 16 else 8
        return size if len(data) >= size else 0

    def respond(self, request: bytes) -> bytes:
        assert crc(request[:-2]) == request[-2:], "the driver sent a wrong checksum"
        unit, function, address, count = struct.unpack(">BBHH", request[:6])
        if unit != self.unit:
            return b""
        body = bytes([unit]) + self._answer(function, address, count, request)
        return body + crc(body)

    def _answer(self, function: int, address: int, count: int, request: bytes) -> bytes:
        if function in (3, 4):
            if any(address + i not in self.registers for i in range(count)):
                return bytes([function | 0x80, 2])
            values = [self.registers[address + i] for i in range(count)]
            return bytes([function, 2 * count]) + struct.pack(f">{count}H", *values)
        values = [count] if function == 6 else list(struct.unpack(f">{count}H", request[7:-2]))
        if address == 70:
            return bytes([function | 0x80, 3])
        if address != 60:
            self.registers.update({address + i: value for i, value in enumerate(values)})
        return request[1:6]


def crc(data: bytes) -> bytes:
    """The checksum of Modbus RTU, bit by bit as in its specification."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")
