"""Whether and how the connection to a server is encrypted, and whose server it is.

The rule kept here: encrypted, unless the profile says `none`; and only to the server whose certificate a person has
trusted for this device. Whatever speaks against that is a sentence with what to type. A server on this computer that
cannot encrypt, as the simulated ones, goes without; so does one that is only looked for, to which nothing is told.
"""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import (
    SecurityPolicy,
    SecurityPolicyAes128Sha256RsaOaep,
    SecurityPolicyAes256Sha256RsaPss,
    SecurityPolicyBasic256Sha256,
)
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.status_codes import StatusCodes

from cellctl.driver import DriverError
from cellctl.pki import Own, Pki, Shown, application_uri, thumbprint
from cellctl.records import STATE_FOLDER
from cellctl_drivers.opcua.profile import Profile

#: The policies that are good enough, the best first, by their URI.
_POLICIES: Mapping[str, type[SecurityPolicy]] = {
    policy.URI: policy
    for policy in (SecurityPolicyAes256Sha256RsaPss, SecurityPolicyBasic256Sha256, SecurityPolicyAes128Sha256RsaOaep)
}

#: A key of fewer bits protects nothing, whatever the policy.
_KEY_BITS_MIN = 2048

#: By these a server says that it does not trust us.
DISTRUST = frozenset(
    {
        StatusCodes.BadSecurityChecksFailed,
        StatusCodes.BadCertificateUntrusted,
        StatusCodes.BadCertificateInvalid,
        StatusCodes.BadCertificateUriInvalid,
        StatusCodes.BadCertificateTimeInvalid,
        StatusCodes.BadCertificateUseNotAllowed,
        StatusCodes.BadCertificateChainIncomplete,
        StatusCodes.BadCertificateIssuerUseNotAllowed,
    }
)


@dataclass(frozen=True, slots=True)
class Offer:
    """The best that a server offers: the policy, its certificate, and what it calls itself."""

    policy: type[SecurityPolicy]
    certificate: bytes
    uri: str


def encrypts(profile: Profile) -> bool:
    """Whether the connection is to be encrypted."""
    return profile.security is not None and (profile.pki is not None or not profile.only_looks)


async def offered(client: Client, profile: Profile) -> Offer | None:
    """The best that the server offers; None if it may go without. DriverError if nothing is good enough."""
    endpoints = await client.connect_and_get_server_endpoints()
    offer = _best(endpoints)
    if offer is None and not (_is_local(profile) and not await asyncio.to_thread(_was_trusted, profile)):
        raise DriverError(
            f"{profile.id} offers no encryption that is good enough, but {_told(endpoints)}: switch Basic256Sha256 with"
            " SignAndEncrypt on there, or, if everybody may read along, say `security: none` (`cellctl browse`:"
            " `--set security=none`)"
        )
    return offer


async def shown_to(profile: Profile, now_ns: int) -> Own:
    """What the server will be shown of us; made if it is the first time, which may take seconds. DriverError if it
    does not hold: servers would only say that they do not trust it."""
    own = await asyncio.to_thread(_own, profile)
    if problem := Shown.of(_der(await asyncio.to_thread(own.certificate.read_bytes))).holds(now_ns):
        renewal = "renew it" if profile.security is not None and profile.security.certificate else "cellctl cert renew"
        raise DriverError(f"our own certificate for {profile.id}, {own.certificate}, {problem}: {renewal}")
    return own


async def secure(client: Client, profile: Profile, offer: Offer, own: Own, now_ns: int) -> None:
    """Have `client` encrypt, to a server that is trusted; DriverError if it is not."""
    shown = _shown(profile, offer, now_ns)
    await asyncio.to_thread(_check_trust, profile, offer.certificate, shown)
    client.application_uri = profile.application_uri or own.uri
    await client.set_security(
        offer.policy,
        str(own.certificate),
        str(own.key),
        server_certificate=CertProperties(offer.certificate, "der"),
    )


def _own(profile: Profile) -> Own:
    """What we show: the files that the profile names, or the certificate of this computer."""
    security = profile.security
    if security is not None and security.certificate:
        certificate, key = Path(security.certificate), Path(security.key)
        for path in (certificate, key):
            try:
                path.open("rb").close()
            except OSError as error:
                raise DriverError(
                    f"the connection to {profile.id} is to be encrypted, but {path} cannot be read"
                ) from error
        try:
            return Own(certificate, key, application_uri(certificate))
        except ValueError as error:
            raise DriverError(
                f"the connection to {profile.id} is to be encrypted, but {certificate} is no certificate"
            ) from error
    if profile.pki is None:
        raise DriverError(f"the connection to {profile.id} is to be encrypted, but there is no folder for certificates")
    try:
        return Pki(profile.pki).own()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DriverError(
            f"the connection to {profile.id} is to be encrypted, but the certificate in {profile.pki} cannot be used:"
            f" {reason}"
        ) from error


def _is_local(profile: Profile) -> bool:
    """Whether nothing leaves this computer."""
    host = profile.endpoint.host
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _was_trusted(profile: Profile) -> bool:
    """Whether a certificate of the device is known: then it can encrypt, and something is wrong if it does not."""
    own_file = profile.security is not None and profile.security.server_certificate
    return bool(own_file) or (profile.pki is not None and Pki(profile.pki).trusted(profile.trusted_as) is not None)


def _best(endpoints: Sequence[ua.EndpointDescription]) -> Offer | None:
    """The best of what a server offers; None if nothing is good enough."""
    offered = {
        endpoint.SecurityPolicyUri: endpoint
        for endpoint in endpoints
        if endpoint.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt and endpoint.ServerCertificate
    }
    for uri, policy in _POLICIES.items():
        if uri in offered:
            endpoint = offered[uri]
            return Offer(policy, _first(endpoint.ServerCertificate), str(endpoint.Server.ApplicationUri))
    return None


def _told(endpoints: Sequence[ua.EndpointDescription]) -> str:
    modes = {f"{_policy_name(each)} ({each.SecurityMode.name})" for each in endpoints}
    return ", ".join(sorted(modes)) or "nothing"


def _policy_name(endpoint: ua.EndpointDescription) -> str:
    return str(endpoint.SecurityPolicyUri).rpartition("#")[2]


def _shown(profile: Profile, offer: Offer, now_ns: int) -> Shown:
    """What the certificate of a server says; DriverError if that does not go together."""
    try:
        shown = Shown.of(offer.certificate)
    except ValueError as error:
        raise DriverError(f"{profile.id} shows a certificate that cannot be read") from error
    whose = f"{profile.id} shows a certificate (thumbprint {shown.thumbprint}) that"
    if problem := shown.holds(now_ns):
        raise DriverError(f"{whose} {problem}: renew it there")
    if offer.uri not in shown.uris:
        raise DriverError(f"{whose} is of {', '.join(shown.uris) or 'nobody'}, but calls itself {offer.uri}")
    if shown.key_bits < _KEY_BITS_MIN:
        raise DriverError(f"{whose} has a key of {shown.key_bits} bits only: make one with {_KEY_BITS_MIN} there")
    return shown


def _check_trust(profile: Profile, certificate: bytes, shown: Shown) -> None:
    """DriverError if a person has not trusted this very certificate for this device."""
    if profile.security is not None and (path := profile.security.server_certificate):
        try:
            trusted: bytes | None = _der(Path(path).read_bytes())
        except (OSError, ValueError) as error:
            raise DriverError(
                f"the certificate of {profile.id} is to be that in {path}, which cannot be read"
            ) from error
        if trusted != certificate:
            raise DriverError(f"{profile.id} shows another certificate than that in {path}: {shown.thumbprint}")
        return
    if profile.pki is None:
        raise DriverError(
            f"{profile.id} shows the certificate {shown.thumbprint}, and nothing says whether to trust it"
        )
    pki = Pki(profile.pki)
    try:
        trusted = pki.trusted(profile.trusted_as)
        if trusted == certificate:
            pki.forget(profile.trusted_as)  # somebody else answered for a time: nobody shall trust that one later
            return
        pki.reject(profile.trusted_as, certificate)
    except OSError as error:
        raise DriverError(f"the certificates in {profile.pki} cannot be used: {error.strerror}") from error
    command = f"cellctl cert trust {shlex.quote(profile.trusted_as)}{_elsewhere(profile.pki.parent.resolve())}"
    if trusted is None:
        raise DriverError(
            f"nobody has trusted {profile.id} yet: it shows a certificate with the thumbprint {shown.thumbprint}."
            f" If that is its own, type: {command}"
        )
    raise DriverError(
        f"{profile.id} shows another certificate than the one that was trusted: thumbprint {shown.thumbprint}, and not"
        f" {thumbprint(trusted)}. Somebody else may answer in its place. If it was renewed, type: {command}"
    )


def _elsewhere(state: Path) -> str:
    """What names the state folder to `cellctl cert`, which by itself takes the first one that is here or above."""
    here = (folder / STATE_FOLDER for folder in (Path.cwd(), *Path.cwd().parents))
    found = next((folder for folder in here if folder.is_dir()), None)
    return "" if found is not None and found.resolve() == state else f" --state {shlex.quote(str(state))}"


def distrusted(profile: Profile, own: Own, detail: str) -> DriverError:
    """What to tell if a server does not take what it is shown."""
    shown = thumbprint(_der(own.certificate.read_bytes()))
    return DriverError(
        f"{profile.id} does not trust this computer ({detail}): trust its certificate there, {own.certificate}, with"
        f" the thumbprint {shown}"
    )


def _der(content: bytes) -> bytes:
    """A certificate file as DER; ValueError if it is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if not content.lstrip().startswith(b"-----BEGIN"):
        return content
    return x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)


def _first(chain: bytes) -> bytes:
    """The server's own certificate at the beginning of a chain, each of which says how long it is."""
    if len(chain) < 2 or chain[1] < 0x80:
        return chain
    length = int.from_bytes(chain[2 : 2 + (chain[1] & 0x7F)], "big")
    return chain[: 2 + (chain[1] & 0x7F) + length]
