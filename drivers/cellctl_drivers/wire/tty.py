"""A serial port as an asyncio transport, on pyserial's open port and the file descriptor below it.

The rule kept here: a port that is gone is noticed at once, and closing never waits for output that nobody wants.
"""

import asyncio
import contextlib
import os
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from cellctl.driver import SerialLoop, driver_ends, tapped
from cellctl_drivers.wire.endpoint import Tty

if TYPE_CHECKING:
    from serial import Serial

_CHUNK_BYTES = 4096


class TtyTransport(asyncio.Transport):
    """An open serial port that feeds `protocol`."""

    def __init__(self, port: "Serial", protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._port = port
        self._fd: int = port.fileno()
        self._protocol = protocol
        self._output = bytearray()
        self._closing = False
        protocol.connection_made(self)
        self._loop.add_reader(self._fd, self._receive)

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send `data`, the rest of it as soon as the line takes it."""
        if self._closing:
            return
        self._output += data
        self._send()

    def is_closing(self) -> bool:
        """Whether the port is closed or about to be."""
        return self._closing

    def close(self) -> None:
        """The same as `abort`: there is no polite way to leave a serial line."""
        self.abort()

    def abort(self) -> None:
        """Throw away what was not sent and close the port."""
        self._lose(None)

    def _receive(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._protocol.data_received(data)
        else:
            self._lose(ConnectionResetError("the port is gone"))

    def _send(self) -> None:
        try:
            sent = os.write(self._fd, self._output) if self._output else 0
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._lose(error)
            return
        del self._output[:sent]
        if self._output:
            self._loop.add_writer(self._fd, self._send)
        else:
            self._loop.remove_writer(self._fd)

    def _lose(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        _close(self._port)
        self._loop.call_soon(self._protocol.connection_lost, error)


async def open_tty(protocol_factory: Callable[[], asyncio.Protocol], tty: Tty) -> asyncio.Transport:
    """Open `tty` for this process alone; OSError if that is not possible."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, SerialLoop):
        return (await loop.create_serial_connection(protocol_factory, tty.path, character_s=tty.character_s))[0]
    opening = loop.run_in_executor(None, _open, tty)
    try:
        port = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_unwanted)
        raise
    protocol = cast(asyncio.Protocol, tapped(protocol_factory)())
    return driver_ends(TtyTransport(port, protocol), protocol)[0]


def _open(tty: Tty) -> "Serial":
    from serial import Serial

    try:
        return Serial(
            tty.path,
            tty.baud,
            bytesize=tty.data_bits,
            parity=tty.parity,
            stopbits=tty.stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=True,
        )
    except termios.error as error:  # not an OSError, though it means one
        raise OSError(*error.args) from error


def _close(port: "Serial") -> None:
    with contextlib.suppress(OSError, termios.error):
        termios.tcflush(port.fileno(), termios.TCIOFLUSH)
    with contextlib.suppress(OSError, termios.error):
        port.close()


def _close_unwanted(opening: "asyncio.Future[Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close(opening.result())
