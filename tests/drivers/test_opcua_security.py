"""Encryption and trust: only to the server that a person said yes to, and what else may be wrong with a certificate."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import hashlib
import stat
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.user_managers import User, UserRole

from cellctl.driver import Device, DriverError, Outcome
from cellctl.pki import Pki
from cellctl_drivers.opcua import OpcUaDriver
from cellctl_drivers.opcua.profile import Profile
from cellctl_drivers.opcua.security import _first, _is_local

from .opcua_secure import AES, BASIC, NONE, SERVER_URI, Identity, Press, Wiretap
from .recording import RecordingLink, Running


@pytest.fixture
def link() -> RecordingLink:
    return RecordingLink("press")


def trusting(press: Press, folder: Path) -> Path:
    """A folder of certificates in which the press is trusted."""
    pki = Pki(folder / "pki")
    pki.reject("press", press.certificate)
    pki.trust("press", press.certificate)
    return pki.folder


async def refusal(device: Device, link: RecordingLink) -> str:
    """Why the driver does not connect; nothing was read, and nothing was sent."""
    link.call("go")
    async with Running(OpcUaDriver(device), link) as running:
        error = await running.ended(6.0)
    assert isinstance(error, DriverError), repr(error)
    assert (link.ups, link.samples) == ([], [])
    return str(error)


def printed(der: bytes) -> str:
    text = hashlib.sha1(der).hexdigest().upper()
    return " ".join(text[at : at + 4] for at in range(0, 40, 4))


async def test_nobody_is_trusted_before_a_person_said_yes(tmp_path: Path, link: RecordingLink) -> None:
    pki = tmp_path / ".cellctl" / "pki"
    async with Press(tmp_path / "a").running() as press:
        told = await refusal(press.device(pki), link)
        assert told == (
            f"nobody has trusted press yet: it shows a certificate with the thumbprint {printed(press.certificate)}."
            f" If that is its own, type: cellctl cert trust press --state {pki.parent}"
        )
        assert (pki / "rejected" / "press.der").read_bytes() == press.certificate
        assert await press.force.read_value() == 7
        Pki(pki).trust("press", press.certificate)
        async with Running(OpcUaDriver(press.device(pki)), link):
            await link.value("force", 7)
            assert (await link.set("force", 8)).outcome is Outcome.CONFIRMED
    assert stat.S_IMODE((pki / "own" / "key.pem").stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (pki, pki / "own", pki / "trusted")} == {0o700}


async def test_another_state_folder_is_named(tmp_path: Path, link: RecordingLink) -> None:
    async with Press(tmp_path / "a").running() as press:
        assert (await refusal(press.device(tmp_path / "state" / "pki"), link)).endswith(f"--state {tmp_path / 'state'}")


@pytest.mark.parametrize(
    ("policies", "uri"),
    [((NONE, BASIC, AES), b"#Aes256_Sha256_RsaPss"), ((NONE, BASIC), b"#Basic256Sha256")],
    ids=["both", "basic"],
)
async def test_nothing_can_be_read_along(tmp_path: Path, link: RecordingLink, *, policies: Any, uri: bytes) -> None:
    async with Press(tmp_path / "a", policies=policies).running() as press:
        tap = Wiretap(press.port)
        async with tap.running() as port:
            device = press.device(trusting(press, tmp_path), port=port)
            async with Running(OpcUaDriver(device), link):
                await link.value("force", 7)
    own = (tmp_path / "pki" / "own" / "certificate.der").read_bytes()
    secured = bytes(tap.heard).partition(own)[2]  # the beginning asks for what is offered, which is no secret
    assert uri in tap.heard
    assert secured
    assert b"Force" not in secured


async def test_without_encryption_it_could_be(tmp_path: Path, link: RecordingLink) -> None:
    async with Press(tmp_path / "a").running() as press:
        tap = Wiretap(press.port)
        async with tap.running() as port, Running(OpcUaDriver(press.device(None, port=port, security="none")), link):
            await link.value("force", 7)
    assert b"Force" in tap.heard


async def test_a_changed_certificate_is_told_as_changed(tmp_path: Path, link: RecordingLink) -> None:
    press = Press(tmp_path / "a")
    async with press.running():
        pki, before = trusting(press, tmp_path), press.certificate
        async with Running(OpcUaDriver(press.device(pki)), link) as running:
            await link.value("force", 7)
            for transport in tuple(press.server.iserver.asyncio_transports):
                transport.abort()
            assert isinstance(await running.ended(), DriverError)
    link.ups.clear()
    link.samples.clear()
    async with press.running():
        told = await refusal(press.device(pki), link)
        assert told.startswith(
            "press shows another certificate than the one that was trusted: thumbprint"
            f" {printed(press.certificate)}, and not {printed(before)}."
        )
        assert "cellctl cert trust press" in told
        assert Pki(pki).trusted("press") == before, "nothing is trusted by itself"
        Pki(pki).trust("press", press.certificate)
        async with Running(OpcUaDriver(press.device(pki)), link):
            await link.value("force", 7)


async def test_who_answered_for_a_time_is_forgotten_when_the_device_is_back(
    tmp_path: Path, link: RecordingLink
) -> None:
    press, stranger = Press(tmp_path / "a"), Press(tmp_path / "b")
    async with press.running(), stranger.running():
        pki = Pki(trusting(press, tmp_path))
        assert "another certificate" in await refusal(press.device(pki.folder, port=stranger.port), link)
        assert [kept.der for kept in pki.kept() if kept.place == "rejected"] == [stranger.certificate]
        async with Running(OpcUaDriver(press.device(pki.folder)), link):
            await link.value("force", 7)
    assert [kept.der for kept in pki.kept() if kept.place == "rejected"] == []
    assert pki.trusted("press") == press.certificate
    with pytest.raises(LookupError):
        pki.trust("press", stranger.certificate)


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (Identity(begin_days=-9, end_days=-2), "has expired on "),
        (Identity(begin_days=2), "does not hold before "),
        (Identity(uri="urn:test:imposter"), f"is of urn:test:imposter, but calls itself {SERVER_URI}"),
        (Identity(key_bits=1024), "has a key of 1024 bits only"),
    ],
    ids=["expired", "early", "uri", "key"],
)
async def test_what_is_wrong_with_a_certificate_is_named(
    tmp_path: Path, link: RecordingLink, *, identity: Identity, says: str
) -> None:
    async with Press(tmp_path / "a", identity).running() as press:
        told = await refusal(press.device(trusting(press, tmp_path)), link)
    assert told.startswith(f"press shows a certificate (thumbprint {printed(press.certificate)}) that {says}")


async def test_a_server_that_does_not_encrypt_is_refused(
    tmp_path: Path, link: RecordingLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellctl_drivers.opcua.security._is_local", lambda profile: False)
    async with Press(tmp_path / "a", policies=(NONE,)).running() as press:
        told = await refusal(press.device(tmp_path / "pki"), link)
        assert told.startswith("press offers no encryption that is good enough, but None (None_): switch")
        assert "`security: none`" in told


async def test_a_server_on_this_computer_may_go_without_unless_it_was_trusted_once(
    tmp_path: Path, link: RecordingLink
) -> None:
    async with Press(tmp_path / "a", policies=(NONE,)).running() as press:
        async with Running(OpcUaDriver(press.device(tmp_path / "pki")), link):
            await link.value("force", 7)
        assert not (tmp_path / "pki").exists(), "nothing is made that is not needed"
        trusting(press, tmp_path)
        told = await refusal(press.device(tmp_path / "pki"), RecordingLink("press"))
    assert told.startswith("press offers no encryption that is good enough")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True), ("localhost", True), ("10.0.0.1", False)],
)
def test_which_hosts_are_this_computer(tmp_path: Path, *, host: str, local: bool) -> None:
    device = Device("press", "opcua", f"opc.tcp://{host}:4840", {})
    assert _is_local(Profile(device)) is local
    assert _is_local(Profile(Device("press", "opcua", "opc.tcp://press.local", {}))) is False


async def test_a_server_that_only_encrypts_is_told(tmp_path: Path, link: RecordingLink) -> None:
    async with Press(tmp_path / "a", policies=(BASIC, AES)).running() as press:
        told = await refusal(press.device(None, security="none"), link)
    assert told == "press wants to be spoken to by an encrypted connection: remove `security: none`"


async def test_simulated_devices_go_without_and_so_does_who_only_looks(tmp_path: Path, link: RecordingLink) -> None:
    async with Press(tmp_path / "a", policies=(NONE, BASIC)).running() as press:
        async with Running(OpcUaDriver(press.device(tmp_path / "pki", simulated=True)), link):
            await link.value("force", 7)
        assert not (tmp_path / "pki").exists()
        seen = press.device(None)
        looking = Device(seen.id, seen.protocol, seen.address, {}, {}, seen.settings, seen.identify)
        link.ups.clear()
        async with Running(OpcUaDriver(looking), link):
            assert link.ups == ["urn:test:press"]
        assert "no folder for certificates" in await refusal(seen, RecordingLink("press"))


async def test_a_server_that_does_not_trust_us_is_told(tmp_path: Path, link: RecordingLink) -> None:
    async def never(*_: object) -> None:
        raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    async with Press(tmp_path / "a", validator=never).running() as press:
        told = await refusal(press.device(trusting(press, tmp_path)), link)
    own = tmp_path / "pki" / "own" / "certificate.der"
    assert told == (
        f"press does not trust this computer (BadCertificateUntrusted): trust its certificate there, {own}, with the"
        f" thumbprint {printed(own.read_bytes())}"
    )


async def test_a_server_that_hangs_up_on_us_is_told_as_one_that_does_not_trust_us(
    tmp_path: Path, link: RecordingLink
) -> None:
    """Some servers say nothing at all when they do not know a certificate."""
    async with Press(tmp_path / "a").running() as press:
        tap = Wiretap(press.port, cut_at=b"#Aes256_Sha256_RsaPss", on=b"OPNF")
        async with tap.running() as port:
            told = await refusal(press.device(trusting(press, tmp_path), port=port), link)
    assert told.startswith("press does not trust this computer (it hung up): trust its certificate there")


async def test_a_server_may_take_its_time_to_encrypt(tmp_path: Path, link: RecordingLink) -> None:
    """But not to answer afterwards."""
    async with Press(tmp_path / "a").running() as press:
        tap = Wiretap(press.port, delay_s=0.7, on=b"OPNF")
        async with tap.running() as port:
            device = press.device(trusting(press, tmp_path), port=port, timeout="400 ms")
            async with Running(OpcUaDriver(device), link):
                await link.value("force", 7)


def test_of_a_chain_the_first_is_the_servers_own(tmp_path: Path) -> None:
    first, second = (Identity(uri=f"urn:test:{name}").write(tmp_path / name)[0].read_bytes() for name in "ab")
    assert _first(first + second) == first
    assert _first(first) == first
    assert _first(b"\x30") == b"\x30"


async def test_our_own_certificate_has_expired(tmp_path: Path, link: RecordingLink) -> None:
    certificate, key = Identity(uri="urn:site:cell-7", begin_days=-9, end_days=-2).write(tmp_path / "own")
    async with Press(tmp_path / "a").running() as press:
        pki = trusting(press, tmp_path)
        told = await refusal(press.device(pki, certificate=str(certificate), key=str(key)), link)
        assert told.startswith(f"our own certificate for press, {certificate}, has expired on ")
        assert told.endswith(": renew it")
        (pki / "own").mkdir()
        (pki / "own" / "certificate.der").write_bytes(certificate.read_bytes())
        (pki / "own" / "key.pem").write_bytes(key.read_bytes())
        assert (await refusal(press.device(pki), RecordingLink("press"))).endswith(": cellctl cert renew")
        Pki(pki).renew()
        async with Running(OpcUaDriver(press.device(pki)), link):
            await link.value("force", 7)


async def test_certificates_of_the_site_are_taken_from_files(tmp_path: Path, link: RecordingLink) -> None:
    certificate, key = Identity(uri="urn:site:cell-7").write(tmp_path / "own")
    names: list[Any] = []

    async def note(_: object, description: ua.ApplicationDescription) -> None:
        names.append(description.ApplicationUri)

    async with Press(tmp_path / "a", validator=note).running() as press:
        files = {"certificate": str(certificate), "key": str(key)}
        theirs = tmp_path / "a" / "press.der"
        async with Running(OpcUaDriver(press.device(None, **files, server_certificate=str(theirs))), link):
            await link.value("force", 7)
        assert names == ["urn:site:cell-7"]
        nothing = RecordingLink("press")
        told = await refusal(press.device(None, **files, server_certificate=str(certificate)), nothing)
        assert told.startswith(f"press shows another certificate than that in {certificate}")
        told = await refusal(press.device(None, **files, server_certificate=str(tmp_path / "none.der")), nothing)
        assert "cannot be read" in told
        told = await refusal(press.device(None, certificate=str(tmp_path / "none.der"), key=str(key)), nothing)
        assert told == f"the connection to press is to be encrypted, but {tmp_path / 'none.der'} cannot be read"
        told = await refusal(press.device(None, certificate=str(key), key=str(key)), nothing)
        assert told == f"the connection to press is to be encrypted, but {key} is no certificate"
        assert "nothing says whether to trust it" in await refusal(press.device(None, **files), nothing)


class Users:
    """One user."""

    def get_user(
        self, _server: Any, username: Any = None, password: Any = None, certificate: Any = None
    ) -> User | None:
        return User(role=UserRole.User) if (username, password) == ("cell", "s3cret") else None


async def test_a_user_is_let_in_and_another_is_told(tmp_path: Path, link: RecordingLink) -> None:
    async with Press(tmp_path / "a", users=Users()).running() as press:
        pki = trusting(press, tmp_path)
        async with Running(OpcUaDriver(press.device(pki, user="cell", password="s3cret")), link):
            await link.value("force", 7)
        told = await refusal(press.device(pki, user="cell", password="guess"), RecordingLink("press"))
    assert told.startswith("press does not know this user")
    assert "guess" not in told


async def test_devices_that_come_at_once_share_one_certificate(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    made = await asyncio.gather(*(asyncio.to_thread(Pki(pki).own) for _ in range(4)))
    assert len({own.certificate.read_bytes() for own in made}) == 1
    assert [each.name for each in pki.iterdir() if each.name.startswith("making")] == []
    assert len(Pki(pki).kept()) == 1


def test_a_certificate_is_renewed_as_a_whole(tmp_path: Path) -> None:
    pki = Pki(tmp_path / "pki")
    before = pki.own().certificate.read_bytes()
    key = pki.own().key.read_bytes()
    after = pki.renew()
    assert after.certificate.read_bytes() != before
    assert after.key.read_bytes() != key
    assert sorted(each.name for each in pki.folder.iterdir()) == ["lock", "own"]
    (pki.folder / "rejected").mkdir()
    (pki.folder / "rejected" / "junk.der").write_bytes(b"junk")
    assert [kept.place for kept in pki.kept()] == ["own"]
    with pytest.raises(LookupError, match="press does not wait to be trusted any more"):
        pki.trust("press", after.certificate.read_bytes())
