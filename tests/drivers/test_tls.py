"""Modbus over TLS: the device is known before a byte of Modbus is said, and knows us where it wants to."""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pymodbus.server import ModbusTcpServer, ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

from cellctl.driver import AddressError, Device, DriverError
from cellctl_drivers.modbus import ModbusDriver

from .recording import RecordingLink, Running
from .rigs import MODBUS_POINTS
from .tls import Papers, papers

COUNT = {"count": MODBUS_POINTS["count"]}


@asynccontextmanager
async def device(context: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A device with TLS, or without; its port."""
    words = [SimData(100, values=[7] * 8, datatype=DataType.REGISTERS)]
    at = ("127.0.0.1", 0)
    server = ModbusTlsServer(SimDevice(id=1, simdata=words), address=at, sslctx=context) if context else None
    server = server or ModbusTcpServer(SimDevice(id=1, simdata=words), address=at)
    await server.serve_forever(background=True)
    yield server.transport.sockets[0].getsockname()[1]
    await server.shutdown()


def driver(port: int, host: str = "127.0.0.1", **files: object) -> ModbusDriver:
    settings: Mapping[str, object] = {name: str(path) for name, path in files.items()}
    return ModbusDriver(Device("dev", "modbus", f"modbus+tls://{host}:{port}", COUNT, settings=settings))


async def refused(made: ModbusDriver, link: RecordingLink) -> str:
    """Why there is no connection."""
    async with Running(made, link) as running:
        error = await running.ended()
    assert isinstance(error, DriverError)
    assert not link.samples
    return str(error)


@pytest.fixture
def authority(tmp_path: Path) -> Papers:
    return papers(tmp_path, "authority")


async def test_a_device_is_known_by_its_authority_and_its_name(
    tmp_path: Path, authority: Papers, link: RecordingLink
) -> None:
    own = papers(tmp_path, "device", by=authority, host="localhost")
    async with device(own.context()) as port:
        async with Running(driver(port, "localhost", authority=authority.certificate), link):
            await link.value("count", 7)
        assert "not trusted" in await refused(driver(port, authority=authority.certificate), RecordingLink())


async def test_a_device_with_another_certificate_is_not_trusted(tmp_path: Path, link: RecordingLink) -> None:
    own, other = papers(tmp_path, "device"), papers(tmp_path, "other")
    async with device(own.context()) as port:
        assert "cannot reach dev" in (why := await refused(driver(port, server_certificate=other.certificate), link))
        assert "not trusted (self-signed certificate)" in why


async def test_what_signed_the_known_certificate_vouches_for_no_other(
    tmp_path: Path, authority: Papers, link: RecordingLink
) -> None:
    own, other = (papers(tmp_path, name, by=authority) for name in ("device", "other"))
    chain = tmp_path / "chain.pem"
    chain.write_bytes(own.certificate.read_bytes() + authority.certificate.read_bytes())
    async with device(own.context()) as port, Running(driver(port, server_certificate=chain), link):
        await link.value("count", 7)
    async with device(other.context()) as port:
        why = await refused(driver(port, server_certificate=chain), RecordingLink())
    assert "not trusted (its certificate is not that in" in why


async def test_a_certificate_that_is_over_is_not_trusted(tmp_path: Path, link: RecordingLink) -> None:
    own = papers(tmp_path, "device", days=-1)
    async with device(own.context()) as port:
        why = await refused(driver(port, server_certificate=own.certificate), link)
    assert "not trusted (certificate has expired)" in why


async def test_a_device_that_wants_to_know_us_is_told_or_hangs_up(
    tmp_path: Path, authority: Papers, link: RecordingLink
) -> None:
    own, ours = papers(tmp_path, "device", by=authority), papers(tmp_path, "cell", by=authority)
    context = own.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.certificate)
    async with device(context) as port:
        known = {"server_certificate": own.certificate}
        async with Running(driver(port, **known, certificate=ours.certificate, key=ours.key), link):
            await link.value("count", 7)
        assert "dev" in await refused(driver(port, **known), RecordingLink())


async def test_a_device_without_tls_is_told_from_one_that_is_not_there(tmp_path: Path, link: RecordingLink) -> None:
    own = papers(tmp_path, "device")
    async with device(None) as port:
        why = await refused(driver(port, server_certificate=own.certificate), link)
    assert "cannot reach dev" in why or "does not answer" in why


def nothing(_: Papers, __: Papers, folder: Path) -> dict[str, Path]:
    return {"server_certificate": folder / "nothing.pem"}


def no_certificate(own: Papers, _: Papers, __: Path) -> dict[str, Path]:
    return {"server_certificate": own.key}


def key_of_another(own: Papers, other: Papers, _: Path) -> dict[str, Path]:
    return {"server_certificate": own.certificate, "certificate": own.certificate, "key": other.key}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (nothing, "nothing.pem cannot be used: .*No such file"),
        (no_certificate, "device.key cannot be used: it is no certificate"),
        (key_of_another, "device.pem cannot be used: it is no certificate, or not with this key"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, link: RecordingLink, files: Callable[[Papers, Papers, Path], dict[str, Path]], told: str
) -> None:
    own, other = papers(tmp_path, "device"), papers(tmp_path, "other")
    async with device(own.context()) as port:
        with pytest.raises(AssertionError, match=told):
            raise AssertionError(await refused(driver(port, **files(own, other, tmp_path)), link))


def test_a_simulated_device_needs_no_certificate() -> None:
    named = Device("dev", "modbus", "modbus+tls://127.0.0.1:1", COUNT, settings={"authority": "/x"}, simulated=True)
    ModbusDriver(named)
    with pytest.raises(AddressError, match="how is the device known"):
        ModbusDriver(Device("dev", "modbus", "modbus+tls://127.0.0.1:1", COUNT))
