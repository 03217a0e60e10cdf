"""Making and ending a connection to an OPC UA server.

The rule kept here: a fresh client for each connection, nothing of asyncua's own reconnecting, and nothing left behind:
no task, no socket, no session.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator

from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.uaerrors import UaStatusCodeError

from cellctl.driver import DriverError
from cellctl_drivers.opcua.profile import Profile

#: After this the server forgets a session that nobody closed.
_SESSION_MS = 30_000

#: asyncua cancels its publishing task and does not wait for it; it needs a few turns of the loop to end.
_TASK_END_TURNS = 4

#: How long the whole of connecting may take, in time-outs of one request.
_CONNECT_TIMEOUTS = 4

#: asyncua looks after the connection by itself too; this much later than `_AUDIT_S` it has nothing left to find.
_NEVER_S = 3600.0

#: asyncua asks for messages in parts that are no longer; what is longer is none, and would be kept without end.
_PART_BYTES_MAX = 65_535

#: Linger for 0 s: what was not sent yet is thrown away and the server is told at once.
_ABORT = struct.pack("ii", 1, 0)


@contextlib.asynccontextmanager
async def connected(profile: Profile) -> AsyncIterator[Client]:
    """A client with an active session for the length of the block; DriverError if there can be none."""
    # What happens on a connection is told once, by DriverError; asyncua tells it at every step, and repeats.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    client = Client(profile.url, timeout=profile.timeout_s, watchdog_intervall=_NEVER_S, auto_reconnect=False)
    client.name = client.description = "cellctl"
    client.application_uri = profile.application_uri
    client.session_timeout = _SESSION_MS
    _bound(client)
    if profile.user:
        client.set_user(profile.user)
        client.set_password(profile.password)
    try:
        await _connect(client, profile)
        honour_cancellation()
        yield client
    except asyncio.CancelledError:
        await _say_goodbye(client, profile.timeout_s)
        raise
    finally:
        await _abort(client)


def _bound(client: Client) -> None:
    """Hang up on who sends what never becomes a message."""
    make = client.uaclient._make_protocol  # noqa: SLF001 - asyncua has no other place for it

    def made() -> UASocketProtocol:
        protocol = make()
        received = protocol.data_received

        def bounded(data: bytes) -> None:
            received(data)
            if len(protocol.receive_buffer or b"") > _PART_BYTES_MAX and protocol.transport is not None:
                protocol.transport.abort()

        protocol.data_received = bounded  # type: ignore[method-assign]
        return protocol

    client.uaclient._make_protocol = made  # type: ignore[method-assign]  # noqa: SLF001


async def _connect(client: Client, profile: Profile) -> None:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUTS * profile.timeout_s):
            await _secure(client, profile)
            await client.connect()
    except TimeoutError as error:
        raise DriverError(f"{profile.endpoint} does not answer: is {profile.id} switched on?") from error
    except DriverError:
        raise
    except OSError as error:
        raise DriverError(
            f"cannot reach {profile.id} at {profile.endpoint}: {error.strerror or error or 'it hung up'}"
        ) from error
    except Exception as error:
        raise DriverError(f"{profile.id} at {profile.endpoint} does not let us in: {told(error)}") from error


async def _secure(client: Client, profile: Profile) -> None:
    if (files := profile.security) is None:
        return
    for path in (files.certificate, files.key, files.server_certificate):
        if path and not await asyncio.to_thread(os.access, path, os.R_OK):
            raise DriverError(f"the connection to {profile.id} is to be secured, but {path} cannot be read")
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        files.certificate,
        files.key,
        server_certificate=files.server_certificate or None,
    )


async def _say_goodbye(client: Client, timeout_s: float) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await client.disconnect()


async def _abort(client: Client) -> None:
    """Cut the connection and end asyncua's tasks: nothing that waits to be sent leaves any more."""
    protocol = client.uaclient.protocol
    transport = protocol.transport if protocol is not None else None
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None and not transport.is_closing():
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        transport.abort()
        await asyncio.sleep(0)
    with contextlib.suppress(Exception):
        await client.disconnect()
    for _ in range(_TASK_END_TURNS):
        await asyncio.sleep(0)
    honour_cancellation()


def honour_cancellation() -> None:
    """Raise CancelledError if this task is being cancelled.

    `asyncio.wait_for` of Python 3.11, which asyncua uses, loses a cancellation that arrives together with the answer.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def told(error: Exception) -> str:
    """What an error of asyncua says, in one line."""
    if isinstance(error, UaStatusCodeError):
        return type(error).__name__
    return str(error) or type(error).__name__
