"""The gateway process from its start to its end: the link to control, and the HTTP server beside it."""

import asyncio
import signal
import socket
from contextlib import suppress
from pathlib import Path

from cellctl.gateway.http.app import application
from cellctl.gateway.http.desk import Desk
from cellctl.gateway.http.server import HttpServer
from cellctl.gateway.link import CellLink
from cellctl.gateway.parts import Parts
from cellctl.records import Records


async def serve(folder: Path, listener: socket.socket) -> None:
    """Serve the cell of the state folder on a bound socket until cancelled. Control may come and go meanwhile."""
    link = CellLink(folder, lambda: desk.tell())
    desk = Desk(link, Records(folder), Parts(folder))
    async with asyncio.TaskGroup() as group:
        following = group.create_task(link.run(), name="link")
        http = group.create_task(HttpServer(application(desk), listener, desk.stream.end).run(), name="http")
        try:
            await http
        finally:
            following.cancel()


async def serve_until_told(folder: Path, listener: socket.socket) -> None:
    """`serve`, until SIGTERM or SIGINT."""
    serving = asyncio.create_task(serve(folder, listener))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with suppress(asyncio.CancelledError):
        await serving
