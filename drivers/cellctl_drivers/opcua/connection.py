"""Making and ending a connection to an OPC UA server.

The rule kept here: a fresh client for each connection, nothing of asyncua's own reconnecting, and nothing left behind:
no task, no socket, no session.
"""

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError

from cellctl.driver import DriverError
from cellctl_drivers.opcua.profile import Profile
from cellctl_drivers.opcua.security import DISTRUST, distrusted, encrypts, offered, secure, shown_to
from cellctl_drivers.wire.unreachable import cause, why

#: After this the server forgets a session that nobody closed.
_SESSION_MS = 30_000

#: asyncua cancels its publishing task and does not wait for it; it needs a few turns of the loop to end.
_TASK_END_TURNS = 4

#: What to tell of a server that has no place for those who do not encrypt; asyncua's own words for it.
_ENCRYPTS = "wants to be spoken to by an encrypted connection"
_NO_PLACE = "No matching endpoints"

#: What servers say that have no place for us, or do not want us, in words for a person.
_REFUSALS = {
    StatusCodes.BadTooManySessions: "has no session free: close other clients, or wait until it forgets old ones",
    StatusCodes.BadIdentityTokenRejected: "does not know this user: see `user` and `password` in cell.yaml",
    StatusCodes.BadUserAccessDenied: "does not know this user or password: see `user` and `password` in cell.yaml",
    StatusCodes.BadSecurityPolicyRejected: _ENCRYPTS,
    StatusCodes.BadSecurityModeRejected: _ENCRYPTS,
    StatusCodes.BadIdentityTokenInvalid: "does not take a user in this way: see `user` and `password` in cell.yaml",
}

#: What we are called where nothing is encrypted.
_APPLICATION_URI = "urn:cellctl:client"

#: A message that is longer is none that a device has to send.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024

#: The longest part of a message that we say we take.
_PART_BYTES_MAX = 65_535

#: What a server says first: that it takes our greeting, or why not.
_WORDS = (b"ACK", b"ERR")

#: How long a server may take to hear that we leave, when something is wrong already.
_GOODBYE_S = 0.5

#: How long the whole of connecting may take, in time-outs of one request.
_CONNECT_TIMEOUTS = 4

#: A small PLC takes seconds for the arithmetic of an encrypted connection.
_ENCRYPTING_S = 4.0

#: asyncua looks after the connection by itself too; this much later than `_AUDIT_S` it has nothing left to find.
_NEVER_S = 3600.0

#: Linger for 0 s: what was not sent yet is thrown away and the server is told at once.
_ABORT = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class _Ear:
    """Whether something took a connection, what it said first, and whether that was OPC UA."""

    opened: bool = False
    first: bytes = b""

    @property
    def stranger(self) -> bool:
        """Whether something is there of which no word of OPC UA was heard."""
        return self.opened and not self.first.startswith(_WORDS)


@contextlib.asynccontextmanager
async def connected(profile: Profile, now_ns: int | None = None) -> AsyncIterator[Client]:
    """A client with an active session for the length of the block; DriverError if there can be none.

    `now_ns` is when: certificates are judged by it (left out: the clock of this computer says).
    """
    # What happens on a connection is told once, by DriverError; asyncua tells it at every step, and repeats.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    client = Client(profile.url, timeout=profile.timeout_s, watchdog_intervall=_NEVER_S, auto_reconnect=False)
    client.name = client.description = "cellctl"
    client.application_uri = profile.application_uri or _APPLICATION_URI
    client.session_timeout = _SESSION_MS
    if profile.user:
        client.set_user(profile.user)
        client.set_password(profile.password)
    ear = _bound(client)
    try:
        try:
            await _connect(client, profile, time.time_ns() if now_ns is None else now_ns)
        except DriverError as error:
            if not ear.stranger:
                raise
            does = "does not speak OPC UA" if ear.first else "says no word of OPC UA"
            raise DriverError(f"something listens at {profile.endpoint}, but it {does}") from error.__cause__
        honour_cancellation()
        yield client
    except asyncio.CancelledError:
        await _say_goodbye(client, profile.timeout_s)
        raise
    except DriverError as error:
        # A device has few sessions: one that is not given back is missing for half a minute.
        if not isinstance(error.__cause__, TimeoutError) and _is_open(client):
            await _say_goodbye(client, min(profile.timeout_s, _GOODBYE_S))
        raise
    finally:
        await _abort(client)


async def _connect(client: Client, profile: Profile, now_ns: int) -> None:
    patience_s, own = profile.timeout_s, None
    if encrypts(profile):
        patience_s = max(profile.timeout_s, _ENCRYPTING_S)
        client.uaclient._timeout = patience_s  # noqa: SLF001 - only the constructor takes it, which knows less
    try:
        if encrypts(profile):
            async with asyncio.timeout(_CONNECT_TIMEOUTS * patience_s):
                offer = await offered(client, profile)
            honour_cancellation()
            if offer is not None:
                own = await shown_to(profile, now_ns)
                await secure(client, profile, offer, own, now_ns)
        async with asyncio.timeout(_CONNECT_TIMEOUTS * patience_s):
            await client.connect()
        if client.uaclient.protocol is not None:
            client.uaclient.protocol.timeout = profile.timeout_s
    except TimeoutError as error:
        raise DriverError(f"{profile.endpoint} does not answer: is {profile.id} switched on?") from error
    except DriverError:
        raise
    except UaStatusCodeError as error:
        if own is not None and error.code in DISTRUST:
            raise distrusted(profile, own, told(error)) from error
        refusal = _REFUSALS.get(error.code, f"at {profile.endpoint} does not let us in: {told(error)}")
        raise DriverError(f"{profile.id} {refusal}{_remedy(profile, refusal)}") from error
    except OSError as error:
        if own is not None and error.strerror is None:  # some servers hang up rather than say that they distrust us
            raise distrusted(profile, own, "it hung up") from error
        reason = why(error) or "it hung up"
        raise DriverError(f"cannot reach {profile.id} at {profile.endpoint}: {reason}") from cause(error)
    except Exception as error:
        refusal = f"at {profile.endpoint} does not let us in: {told(error)}"
        refusal = _ENCRYPTS if _NO_PLACE in str(error) else refusal
        raise DriverError(f"{profile.id} {refusal}{_remedy(profile, refusal)}") from error


def _remedy(profile: Profile, refusal: str) -> str:
    """What to do about a refusal, if it is that nothing is encrypted and somebody has said so."""
    return ": remove `security: none`" if refusal == _ENCRYPTS and profile.security is None else ""


async def _say_goodbye(client: Client, timeout_s: float) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_s):
            await client.disconnect()


def _is_open(client: Client) -> bool:
    protocol = client.uaclient.protocol
    return protocol is not None and protocol.transport is not None and not protocol.transport.is_closing()


def _bound(client: Client) -> _Ear:
    """Have the connection cut if a message has no end: asyncua would take in whatever comes."""
    ear = _Ear()
    make = client.uaclient._make_protocol  # noqa: SLF001 - asyncua has no other place for it

    def bounded() -> UASocketProtocol:
        protocol = make()
        take, finish = protocol.data_received, protocol._process_received_message  # noqa: SLF001
        open_ = protocol.connection_made
        unfinished = 0

        def made(transport: asyncio.Transport) -> None:
            ear.opened = True
            open_(transport)

        def received(data: bytes) -> None:
            nonlocal unfinished
            ear.first = ear.first or data[:8]
            unfinished += len(data)
            if unfinished <= MESSAGE_BYTES_MAX:
                take(data)
            if unfinished > MESSAGE_BYTES_MAX or len(protocol.receive_buffer or b"") > _PART_BYTES_MAX:
                protocol.receive_buffer = None
                if protocol.transport is not None:
                    protocol.transport.abort()

        def finished(msg: ua.Message | ua.Acknowledge | ua.ErrorMessage | None) -> None:
            nonlocal unfinished
            if msg is not None:  # else it was a part of one
                unfinished = 0
            finish(msg)

        protocol.connection_made = made  # type: ignore[method-assign]
        protocol.data_received = received  # type: ignore[method-assign]
        protocol._process_received_message = finished  # type: ignore[method-assign]  # noqa: SLF001
        return protocol

    client.uaclient._make_protocol = bounded  # type: ignore[method-assign]  # noqa: SLF001
    return ear


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
