"""OPC UA servers that encrypt, with certificates as a test wants them."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from cellctl.driver import Command, CommandClass, Device, Point, Signal
from cellctl_simulators.servers.opcua import _Inner

from .servers import Proxy

URI = "urn:test:press"
SERVER_URI = "urn:test:press:server"
AES, BASIC, NONE = (
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.NoSecurity,
)


@dataclass(frozen=True)
class Identity:
    """The certificate of a server: whose it is, from when until when it holds (days from now), its key."""

    uri: str = SERVER_URI
    begin_days: float = -1
    end_days: float = 30
    key_bits: int = 2048

    def write(self, folder: Path) -> tuple[Path, Path]:
        """The files of it."""
        folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=self.key_bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "press")])
        now = datetime.now(UTC)
        begin, end = now + timedelta(days=self.begin_days), now + timedelta(days=self.end_days)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
        names = [x509.UniformResourceIdentifier(self.uri), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        (folder / "press.der").write_bytes(certificate)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "press.pem").write_bytes(private)
        return folder / "press.der", folder / "press.pem"


@dataclass
class Press:
    """A press with one number that can be written; `validator` judges the certificates of clients."""

    folder: Path
    identity: Identity = Identity()
    policies: Sequence[ua.SecurityPolicyType] = (NONE, BASIC, AES)
    port: int = 0
    validator: Any = None
    users: Any = None
    server: Server = field(init=False)

    @property
    def certificate(self) -> bytes:
        return (self.folder / "press.der").read_bytes()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Press"]:
        """For the length of the block; the port stays the same afterwards."""
        inner = _Inner()
        if self.users is not None:
            inner.user_manager = self.users
        self.server = server = Server(iserver=inner)
        await server.init()
        await server.set_application_uri(SERVER_URI)
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}")
        certificate, key = await asyncio.to_thread(self.identity.write, self.folder)
        await server.load_certificate(certificate)
        await server.load_private_key(key)
        server.set_security_policy(list(self.policies))
        inner.certificate_validator = self.validator
        index = await server.register_namespace(URI)
        self.force = await server.nodes.objects.add_variable(
            ua.NodeId("Force", index), ua.QualifiedName("Force", index), 7, ua.VariantType.Int16
        )
        await self.force.set_writable()
        await server.start()
        self.port = server.bserver._server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            for transport in tuple(inner.asyncio_transports):
                transport.abort()
            await asyncio.sleep(0)
            for session in tuple(inner.sessions):
                await session.close_session(True)
            await server.stop()
            await asyncio.sleep(0.02)

    def device(self, pki: Path | None, *, port: int = 0, **settings: Any) -> Device:
        """As its driver is told."""
        force = Point(Signal("press.force", "int", writable=True, verify=0), "s=Force", "s=Force Int16")
        go = Command("go", CommandClass.PULSE, 2_000_000_000, {"write": {"s=Force Int16": 9}})
        shared = {"namespace": URI, "publishing": "20 ms", "timeout": "1500 ms"}
        user = {key: settings.pop(key) for key in ("user", "password", "simulated") if key in settings}
        return Device(
            "press",
            "opcua",
            f"opc.tcp://127.0.0.1:{port or self.port}",
            {"force": force},
            {"go": go},
            {**shared, **settings},
            {"namespace": URI},
            pki=pki,
            **user,
        )


class Wiretap(Proxy):
    """A TCP proxy that keeps what passes; what begins with `on` may be late, or, with `cut_at` in it, end it all."""

    def __init__(self, port: int, *, on: bytes = b"", cut_at: bytes = b"", delay_s: float = 0.0) -> None:
        super().__init__(port)
        self._on, self._cut_at, self._delay_s = on, cut_at, delay_s
        self.heard = bytearray()

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                self.heard += data
                if self._on and data.startswith(self._on):
                    if self._cut_at and self._cut_at in data:
                        source._transport.abort()  # type: ignore[attr-defined]
                        break
                    await asyncio.sleep(self._delay_s)
                sink.write(data)
        finally:
            sink.transport.abort()
