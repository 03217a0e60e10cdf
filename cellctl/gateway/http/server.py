"""The HTTP server inside the gateway process: uvicorn on a socket that is bound already."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from cellctl.gateway.http.guard import App

#: How long open requests may take to finish at shutdown; streams are told to end and need none of it.
SHUTDOWN_S = 2


class HttpServer:
    """uvicorn on a bound socket, started and ended by the gateway, which alone owns the signals. `ending` lets the
    streams go, which would otherwise stay open."""

    def __init__(self, app: App, listener: socket.socket, ending: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Embedded(config)
        self._listener = listener
        self._ending = ending

    async def run(self) -> None:
        """Serve until cancelled; then let open requests finish."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]), name="http")
        try:
            await asyncio.shield(serving)
        finally:
            self._ending()
            self._server.should_exit = True
            await serving
            self._listener.close()


class _Embedded(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
