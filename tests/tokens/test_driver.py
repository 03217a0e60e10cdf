"""What the drivers do for a token block, over real sockets and without a wire: epoch, checksum, sign of life."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from asyncua import Client, ua
from pymodbus.client import AsyncModbusTcpClient

from cellctl.commission.found import ALONE, alone
from cellctl.driver import AddressError, Device, Driver, DriverError, Outcome, Value
from cellctl.model import driver_for
from cellctl_drivers.wire.epoch import Epoch, crc16
from cellctl_simulators.models.cellctl import EPOCH, TOKEN, WRITTEN
from cellctl_simulators.simulation import Simulated, Simulation
from cellctl_simulators.token_block import (
    OLD_EPOCH,
    OLD_TOKEN,
    RESET,
    STOPPED,
    TRIPPED,
    WRONG_CRC,
    Frame,
    Retained,
    checksum,
)
from tests.drivers.recording import RecordingLink, Running, until
from tests.tokens.controller import PROFILES

LEVELS = [(profile, direct) for profile in PROFILES for direct in (False, True)]
IDS = [f"{profile}-{'direct' if direct else 'wire'}" for profile, direct in LEVELS]


class Site:
    """The device, and drivers for it."""

    def __init__(self, profile: str, folder: Path, *, direct: bool = False) -> None:
        self.device = alone(profile).device
        self.direct = direct
        simulated = {ALONE: Simulated(profile, self.device.address, self.device)}
        self.simulation = Simulation(folder, simulated, direct=direct)

    def driver(self, **more: Any) -> Driver:
        """A driver, with what else its device may be."""
        kind: Any = driver_for(self.device.protocol)
        if self.direct:
            direct: Driver = kind.direct(replace(self.device, **more), self.simulation.contact(ALONE))
            return direct
        wired: Driver = kind(replace(self.device, address=self.simulation.addresses[ALONE], simulated=True, **more))
        return wired

    @asynccontextmanager
    async def connected(self, **more: Any) -> AsyncIterator[RecordingLink]:
        """A connection whose trip is reset."""
        link = RecordingLink(ALONE)
        async with Running(self.driver(**more), link):
            assert link.ups
            assert (await link.answer(link.call("reset_trip", token=9))).outcome is Outcome.CONFIRMED
            await link.value("comm_trip", False)
            yield link

    @property
    def retained(self) -> Retained:
        """What the device keeps, and what it really did."""
        return self.simulation.world.models[ALONE].retained  # type: ignore[attr-defined,no-any-return]

    def set(self, name: str, value: Value) -> None:
        """An input of the device."""
        self.simulation.set(f"{ALONE}.{name}", value)


@pytest.fixture(params=LEVELS, ids=IDS)
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    profile, direct = request.param
    made = Site(profile, tmp_path, direct=direct)
    async with made.simulation:
        yield made


async def execute(link: RecordingLink, token: int, ms: int = 0) -> None:
    answer = await link.answer(link.call("execute", token=token, cmd=7, param=ms))
    assert (answer.outcome, answer.reason) == (Outcome.CONFIRMED, "")


async def test_an_execution_is_told_by_its_token(site: Site) -> None:
    async with site.connected() as link:
        await execute(link, 40)
        await link.value("done_token", 40)
        await link.value("result", 1)
        await execute(link, 40)
        await link.value("refused", 0)
        await execute(link, 41)
        await link.value("done_token", 41)
    assert site.retained.executed == {40: 1, 41: 1}


async def test_the_epoch_rises_with_each_connection(site: Site) -> None:
    for number in (1, 2, 3):
        async with site.connected() as link:
            await link.value("seen_epoch", number)
    site.retained.seen_epoch = 65_535
    site.simulation.show(ALONE)
    async with site.connected() as link:
        await link.value("seen_epoch", 1)


async def test_what_an_old_connection_sends_is_not_followed(site: Site) -> None:
    async with site.connected() as old, site.connected() as new:
        await execute(old, 40)
        await new.value("refused", OLD_EPOCH)
        await execute(new, 41)
        await new.value("done_token", 41)
    assert site.retained.executed == {41: 1}


@pytest.mark.parametrize("tokens", [(500, 499), (10, 40_000), (60_000, 20_000)])
async def test_a_token_that_does_not_go_up_comes_in_a_new_epoch(site: Site, tokens: tuple[int, int]) -> None:
    async with site.connected() as link:
        await link.value("seen_epoch", 1)
        for token in tokens:
            await execute(link, token)
            await link.value("done_token", token)
        assert link.last["seen_epoch"].value in (2, 3)
    assert site.retained.executed == dict.fromkeys(tokens, 1)


async def test_tokens_begin_again_after_the_last(site: Site) -> None:
    async with site.connected() as link:
        for token in (65_534, 65_535, 1, 2):
            await execute(link, token)
            await link.value("done_token", token)
        assert link.last["seen_epoch"].value in (1, 2)  # the reset had a token of its own


async def test_a_program_that_stands_still_is_noticed(site: Site) -> None:
    link = RecordingLink(ALONE)
    async with Running(site.driver(), link) as running:
        await asyncio.sleep(0.6)
        site.set("stuck", True)
        error = await running.ended()
    assert "told no new sign of life for 750 ms: it stands still" in str(error)
    async with Running(site.driver(), RecordingLink(ALONE)) as again:
        error = await again.ended()
    assert isinstance(error, DriverError)
    assert "does not take the epoch 2, and tells 1: does its program run?" in str(error)
    assert not again.link.ups


async def test_what_a_program_missed_while_it_stood_still_is_not_done_late(site: Site) -> None:
    async with site.connected() as link:
        await execute(link, 40)
        await link.value("done_token", 40)
        site.set("stuck", True)
        await execute(link, 41)
        await asyncio.sleep(1.1)
        site.set("stuck", False)
        await asyncio.sleep(0.1)
    assert site.retained.executed == {40: 1}


async def test_without_signs_of_life_it_trips_and_stops_its_work(site: Site) -> None:
    async with site.connected() as link:
        await execute(link, 40, ms=5_000)
        await link.value("busy", True)
    link = RecordingLink(ALONE)
    async with Running(site.driver(watchdog=None), link):
        await link.value("busy", True)
        took_s = await until(lambda: link.last["comm_trip"].value is True)
        assert 0.5 < took_s < 1.3
        await link.value("result", STOPPED)
        await execute(link, 41)
        await link.value("refused", TRIPPED)
    assert site.retained.executed == {40: 1}


# --- what others send ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def sender(site: Site) -> AsyncIterator[Any]:
    """Somebody else who writes frames, as they are."""
    host, _, port = site.simulation.addresses[ALONE].partition("//")[2].rpartition(":")
    if site.device.protocol == "modbus":
        modbus = AsyncModbusTcpClient(host, port=int(port))
        await modbus.connect()

        async def send(frame: Frame) -> None:
            words = [frame.epoch, frame.cmd, frame.param, frame.crc, frame.token]
            await modbus.write_registers(EPOCH, words)

        yield send
        modbus.close()
        return
    async with Client(site.simulation.addresses[ALONE]) as client:
        space = await client.get_namespace_index("urn:cellctl:token-block")
        nodes = [client.get_node(f"ns={space};s=Cellctl.{name}") for name in WRITTEN[1:]]

        async def put(frame: Frame) -> None:
            for node, word in zip(nodes, (frame.epoch, frame.cmd, frame.param, frame.crc, frame.token), strict=True):
                await node.write_value(ua.DataValue(ua.Variant(word, ua.VariantType.UInt16), StatusCode=None))

        yield put


@pytest.fixture(params=PROFILES)
async def wired(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(request.param, tmp_path)
    async with made.simulation:
        yield made


async def test_late_and_double_frames_do_nothing(wired: Site) -> None:
    async with wired.connected() as link, sender(wired) as send:
        for token in (40, 41):
            await execute(link, token)
            await link.value("done_token", token)
        epoch = int(link.last["seen_epoch"].value or 0)
        for frame, refused in (
            (Frame(epoch, 7, 0, token=41).sealed(), 0),  # the same once more
            (Frame(epoch, 7, 0, token=40).sealed(), OLD_TOKEN),
            (Frame(epoch - 1, 7, 0, token=42).sealed(), OLD_EPOCH),
            (Frame(epoch, 7, 0, crc=1, token=42), WRONG_CRC),
            (Frame(epoch - 1, 65_535, 0, token=42).sealed(), OLD_EPOCH),
            (Frame(epoch - 1, RESET, 0, token=42).sealed(), OLD_EPOCH),
        ):
            await send(frame)
            await link.value("refused", refused)
        await execute(link, 42)
        await link.value("done_token", 42)
    assert wired.retained.executed == {40: 1, 41: 1, 42: 1}


async def test_noise_in_a_frame_does_nothing(wired: Site) -> None:
    random = Random(5)
    async with wired.connected() as link, sender(wired) as send:
        epoch = int(link.last["seen_epoch"].value or 0)
        for _ in range(200):
            frame = Frame(epoch, 7, 0, token=random.randint(1, 65_535)).sealed()
            words = [frame.epoch, frame.cmd, frame.param, frame.crc, frame.token]
            words[random.randrange(5)] ^= 1 << random.randrange(16)
            await send(Frame(*words))
    assert not wired.retained.executed


# --- what is checked before -----------------------------------------------------------------------------------------


def test_the_checksum_is_that_of_modbus() -> None:
    assert crc16(b"123456789") == 0x4B37
    random = Random(1)
    for _ in range(100):
        words = [random.randrange(65_536) for _ in range(4)]
        assert crc16(b"".join(word.to_bytes(2, "big") for word in words)) == checksum(*words)


def test_an_epoch_begins_with_any_token_and_then_they_go_up() -> None:
    epoch = Epoch()
    epoch.rise(65_535)
    assert (epoch.number, epoch.follows(65_000), epoch.follows(65_000), epoch.follows(3)) == (1, True, True, True)
    assert not epoch.follows(2)
    assert epoch.follows(32_770)
    assert not epoch.follows(3)
    epoch.rise(0)
    assert (epoch.number, epoch.follows(3)) == (1, True)


def _changes() -> Iterator[tuple[str, dict[str, Any], str]]:
    frame = f"holding {EPOCH}"
    write = {frame: ["$epoch", 1, "$crc16", "$token"]}
    for name, steps, told in (
        ("alone", {f"holding {TOKEN}": "$crc16"}, "other words"),
        ("twice", {frame: ["$crc16", 1, "$crc16"]}, "one $crc16"),
        ("long", {f"{frame} uint32": [1, "$crc16"]}, "uint16"),
        ("signed", {f"{frame} int16": [1, "$crc16"]}, "uint16"),
        ("bits", {"coil 3": [1, "$crc16"]}, "uint16"),
        ("text", {f"{frame} text 2": ["a", "$crc16"]}, "uint16"),
    ):
        yield name, {"settings": {"prepare": steps}}, told
    yield "no epoch", {"settings": {"prepare": write}}, "`epoch: ROW`"
    yield "nobody tells it", {"settings": {"epoch": "holding 135 uint16"}}, "`prepare`"
    yield "no echo", {"watchdog": {"write": "holding 128 uint16", "within": "1 s"}}, "`echo`"
    constant = {"write": "holding 128 uint16", "value": 1, "echo": "holding 134 uint16"}
    yield "always the same", {"watchdog": constant}, "running number"
    soon = {"write": "holding 128 uint16", "every": "1 s", "echo": "holding 134 uint16", "within": "1 s"}
    yield "too soon", {"watchdog": soon}, "two periods"


CHANGES = {name: (more, told) for name, more, told in _changes()}


@pytest.mark.parametrize("name", CHANGES)
def test_a_mistake_is_told(name: str) -> None:
    more, told = CHANGES[name]
    with pytest.raises(AddressError, match=told.replace("$", r"\$").replace("`", "`")):
        driver_for("modbus")(Device("dev", "modbus", "modbus://127.0.0.1:1", {}, **more))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"prepare": {"s=A UInt16": "$crc16"}}, "other nodes"),
        ({"prepare": [{"s=A UInt16": "$crc16"}, {"s=B UInt16": "$crc16"}]}, "one .crc16"),
        ({"prepare": {"s=A Int16": "$crc16", "s=B UInt16": 1}}, "UInt16"),
        ({"prepare": {"s=A UInt16": "$crc16", "s=B Float": 1}}, "whole numbers"),
        ({"prepare": {"s=A UInt16": "$epoch"}}, "`epoch: ROW`"),
        ({"epoch": "s=A"}, "`prepare`"),
        ({"prepare": 5}, "write each node"),
    ],
)
def test_a_mistake_is_told_for_opc_ua(more: dict[str, Any], told: str) -> None:
    with pytest.raises(AddressError, match=told):
        driver_for("opcua")(Device("dev", "opcua", "opc.tcp://127.0.0.1:1", {}, settings={"namespace": "u", **more}))
