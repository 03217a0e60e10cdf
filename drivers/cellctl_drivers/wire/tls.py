"""Encrypted connections: the files that a profile names, and what OpenSSL makes of them.

The rule kept here: the device is always checked. Nothing is trusted because it answered first.
"""

import ssl
from collections.abc import Callable
from pathlib import Path

from cellctl.driver import AddressError
from cellctl_drivers.wire.endpoint import Tls
from cellctl_drivers.wire.settings import Section

FILES = ("server_certificate", "authority", "certificate", "key")


def parse_tls(settings: Section, *, needed: bool) -> Tls | None:
    """The files of a section, or None where the connection is not encrypted; AddressError for a wrong choice."""
    files = Tls(*(settings.text(name, "") for name in FILES))
    named = next((name for name in FILES if getattr(files, name)), None)
    if not needed:
        if named is not None:
            raise AddressError("only a connection by TLS has certificates", settings.at(named))
        return None
    if bool(files.server_certificate) == bool(files.authority):
        raise AddressError(
            "how is the device known? Name its `server_certificate`, or the `authority` that signed it",
            settings.at("server_certificate"),
        )
    if bool(files.certificate) != bool(files.key):
        raise AddressError(
            "`certificate` and `key` belong together", settings.at("key" if files.key else "certificate")
        )
    return files


def context(files: Tls) -> ssl.SSLContext:
    """What OpenSSL checks with; reads the files. OSError, with the file's name, for one that cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.server_certificate:
        made.check_hostname = False  # it is the certificate itself that is known
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    _read(files.server_certificate or files.authority, made.load_verify_locations)
    if files.certificate:
        _read(files.certificate, lambda path: made.load_cert_chain(path, files.key, password=_no_password))
    return made


def check(files: Tls, connected: ssl.SSLObject) -> None:
    """Whether the device has the very certificate that is known, and not one that its owner or authority signed."""
    if files.server_certificate:
        known = ssl.PEM_cert_to_DER_cert(_first(Path(files.server_certificate).read_text(encoding="ascii")))
        if connected.getpeercert(binary_form=True) != known:
            raise OSError(f"it is not trusted (its certificate is not that in {files.server_certificate})")


def _first(text: str) -> str:
    """The first certificate of a file, which may have those of authorities behind it."""
    before, end, _ = text.partition(ssl.PEM_FOOTER)
    return before[before.index(ssl.PEM_HEADER) :] + end


def _read(path: str, load: Callable[[str], None]) -> None:
    try:
        load(path)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError that names no file
        reason = "it is no certificate, or not with this key" if isinstance(error, ssl.SSLError) else error
        raise OSError(f"{path} cannot be used: {reason}") from error


def _no_password() -> str:
    raise ValueError("its key has a password, and nobody is there to type it")
