"""Certificates made for a test, and a Modbus device behind TLS: pymodbus's own server."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import ssl
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymodbus.server import ModbusTlsServer
from pymodbus.simulator import SimDevice

from cellctl.driver import Device

from .rigs import ModbusTcpRig


@dataclass(frozen=True)
class Papers:
    """A certificate and its key, as files and as they are."""

    certificate: Path
    key: Path
    own: x509.Certificate
    secret: ec.EllipticCurvePrivateKey

    def context(self) -> ssl.SSLContext:
        """What a server of that certificate needs."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        return made


def papers(folder: Path, name: str, *, by: Papers | None = None, host: str = "", days: int = 1) -> Papers:
    """Of `name`, signed `by` an authority or by itself; for `host` only, if one is given."""
    secret = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.own.subject if by else subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=name == "authority", path_length=None), critical=True)
    )
    if host:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    own = made.sign(by.secret if by else secret, hashes.SHA256())
    found = Papers(folder / f"{name}.pem", folder / f"{name}.key", own, secret)
    found.certificate.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    found.key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return found


class ModbusTlsRig(ModbusTcpRig):
    """The same behind TLS, known by its certificate."""

    async def start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tls-")
        self._papers = papers(Path(self._folder.name), "device")
        await super().start()

    def server(self, device: SimDevice) -> ModbusTlsServer:
        return ModbusTlsServer(device, address=("127.0.0.1", 0), sslctx=self._papers.context())

    async def stop(self) -> None:
        await super().stop()
        self._folder.cleanup()

    def described(self, *, identify: bool = True) -> Device:
        plain = super().described(identify=identify)
        known = {"server_certificate": str(self._papers.certificate)}
        return replace(plain, address=plain.address.replace("modbus:", "modbus+tls:"), settings=plain.settings | known)
