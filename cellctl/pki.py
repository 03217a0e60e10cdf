"""Keys and certificates: the one that this computer shows, and those of devices that a person trusts.

The rule kept here: trust is for one device, and comes from a person. What a device shows is compared byte by byte with
what was trusted for it, and kept as `rejected` if it is another; a private key can be read by its owner only.
"""

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: The folder of this in a state folder.
PKI_FOLDER = "pki"

#: A person has to tell every device of a new one, so it lasts long.
OWN_DAYS = 5 * 365

#: Clocks of devices that are behind shall take a new one all the same.
_BEFORE = timedelta(days=1)

_KEY_BITS = 2048

OWN, TRUSTED, REJECTED = "own", "trusted", "rejected"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a certificate says: its thumbprint as devices show it, whose it is, from when and until when it holds."""

    thumbprint: str
    subject: str
    uris: tuple[str, ...]
    begin: datetime
    end: datetime
    key_bits: int

    @classmethod
    def of(cls, der: bytes) -> "Shown":
        """Read a certificate; ValueError if it is none."""
        from cryptography import x509

        certificate = x509.load_der_x509_certificate(der)
        return cls(
            thumbprint(der),
            certificate.subject.rfc4514_string(),
            _uris(certificate),
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            getattr(certificate.public_key(), "key_size", 0),
        )

    def holds(self, now_ns: int) -> str:
        """Why it does not hold at this time, or ""."""
        now = datetime.fromtimestamp(now_ns / 1e9, UTC)
        if now < self.begin:
            return f"does not hold before {self.begin:%Y-%m-%d %H:%M} UTC; the clock here says {now:%Y-%m-%d %H:%M}"
        return f"has expired on {self.end:%Y-%m-%d}" if now > self.end else ""


@dataclass(frozen=True, slots=True)
class Own:
    """The files of this computer's own certificate, and the name of the application in it."""

    certificate: Path
    key: Path
    uri: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate in the folder: `own`, `trusted` or `rejected`; of which device; "" if it is our own."""

    place: str
    device: str
    path: Path
    shown: Shown
    der: bytes = field(repr=False)


class Pki:
    """The folder with the keys and certificates of one state folder. OSError if it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- this computer ----------------------------------------------------------------------------------------------

    def own(self) -> Own:
        """The certificate that devices are shown; made if there is none yet. Takes about 0.2 s then."""
        if not (self.folder / OWN).is_dir():
            with self._alone():
                if not (self.folder / OWN).is_dir():
                    self._make()
        certificate, key = (self.folder / OWN / name for name in ("certificate.der", "key.pem"))
        return Own(certificate, key, "".join(Shown.of(certificate.read_bytes()).uris[:1]))

    def renew(self) -> Own:
        """Make another one; devices have to be told to trust it."""
        with self._alone():
            self._make()
        return self.own()

    def _make(self) -> None:
        """A key and a certificate, both there at once, in place of those that there were."""
        making = Path(mkdtemp(prefix="making-", dir=self.folder))  # for its owner only
        certificate, key = _self_signed()
        for name, content in (("certificate.der", certificate), ("key.pem", key)):
            _write(making / name, content)
        before = making.with_name(f"{making.name}.before")
        if (self.folder / OWN).is_dir():
            (self.folder / OWN).rename(before)
        making.rename(self.folder / OWN)
        rmtree(before, ignore_errors=True)

    # --- devices ----------------------------------------------------------------------------------------------------

    def trusted(self, device: str) -> bytes | None:
        """What was trusted for a device."""
        path = self._path(TRUSTED, device)
        return path.read_bytes() if path.is_file() else None

    def reject(self, device: str, der: bytes) -> None:
        """Keep what a device showed, for a person to look at; the last of each device."""
        path = self._path(REJECTED, device)
        if not path.is_file() or path.read_bytes() != der:
            with self._alone():
                path.parent.mkdir(mode=0o700, exist_ok=True)
                _write(path, der)

    def forget(self, device: str) -> None:
        """Drop what was rejected of a device: it shows the one that is trusted again."""
        path = self._path(REJECTED, device)
        if path.is_file():
            with self._alone():
                path.unlink(missing_ok=True)

    def trust(self, device: str, der: bytes) -> None:
        """Trust what a person looked at, in place of what was trusted before.

        LookupError with a sentence if the device showed another one meanwhile: nobody has looked at that.
        """
        rejected, trusted = self._path(REJECTED, device), self._path(TRUSTED, device)
        with self._alone():
            if not rejected.is_file():
                raise LookupError(f"{device} does not wait to be trusted any more")
            if (now := rejected.read_bytes()) != der:
                raise LookupError(
                    f"{device} shows another certificate meanwhile, with the thumbprint {thumbprint(now)}"
                )
            trusted.parent.mkdir(mode=0o700, exist_ok=True)
            rejected.rename(trusted)

    def kept(self) -> list[Kept]:
        """All certificates there are; files that are none are left out."""
        found = []
        for place in (OWN, TRUSTED, REJECTED):
            for path in sorted((self.folder / place).glob("*.der")):
                der = path.read_bytes()
                try:
                    shown = Shown.of(der)
                except ValueError:
                    continue
                found.append(Kept(place, "" if place == OWN else path.stem, path, shown, der))
        return found

    def _path(self, place: str, device: str) -> Path:
        return self.folder / place / f"{device}.der"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes anything meanwhile."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def thumbprint(der: bytes) -> str:
    """The SHA-1 of a certificate, as the screens of devices show it to people. Nothing is decided by it."""
    digest = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def application_uri(certificate: Path) -> str:
    """The name of the application in a certificate file, PEM or DER; "" if it has none. ValueError if it is none."""
    from cryptography import x509

    content = certificate.read_bytes()
    is_pem = content.lstrip().startswith(b"-----BEGIN")
    found = x509.load_pem_x509_certificate(content) if is_pem else x509.load_der_x509_certificate(content)
    return "".join(_uris(found)[:1])


def _write(path: Path, content: bytes) -> None:
    """The whole file or none, for its owner only."""
    part = path.with_name(f"{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    part.replace(path)


def _uris(certificate: "Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier))


def _self_signed() -> tuple[bytes, bytes]:
    """A certificate (DER) and its key (PEM) as OPC 10000-6 wants them of an application."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname()) or "localhost"
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"cellctl@{host}"[:64])])
    serial, now = x509.random_serial_number(), datetime.now(UTC)
    names = [x509.UniformResourceIdentifier(f"urn:{host}:cellctl"), x509.DNSName(host)]
    own_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    uses = dict.fromkeys(("key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
    uses |= dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), True)
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    issuer = x509.AuthorityKeyIdentifier(own_key.digest, [x509.DirectoryName(name)], serial)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), serial, now - _BEFORE, now + timedelta(days=OWN_DAYS))
        .add_extension(own_key, critical=False)
        .add_extension(issuer, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**uses, key_cert_sign=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    return certificate, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
