"""Every bundled Modbus device type under a client that is not ours: pyModbusTCP asks the simulated device on a real
port for each signal of the profile and decodes it by itself. What it finds is what our driver tells of the same device.

Decoded is what the profile says in words, with the functions of pyModbusTCP: nothing of our driver takes part in that.
And with registers as the golden vectors say, it finds what they mean.
"""

# ruff: noqa: TID251 - the folder is called as it is; what is imported is of these tests

import asyncio
import math
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pyModbusTCP import utils
from pyModbusTCP.client import ModbusClient

from cellctl.driver import Device, Quality, Value
from cellctl_drivers.modbus import ModbusDriver
from cellctl_simulators.faults.mask import Mask
from cellctl_simulators.simulation import Pace, Simulated, Simulation
from cellctl_simulators.wire import Registers

from .profiles import BUNDLED, device, load
from .recording import RecordingLink, Running, until

#: Time stands still, so that both see the same.
STILL = Pace(1e-9)

#: What the device counts by itself whenever it is asked.
COUNTING = frozenset({("wago.750", "requests")})

#: Where one number is the name of several words, as in no table: they are what the model says, and nobody sets them.
NAMES = frozenset({("vp-instruments.vpflowscope", "holding"), ("wago.750", "holding 0x1029")})

LONG = {"uint32": False, "int32": False, "float32": False, "uint64": True, "int64": True, "float64": True}


def modbus() -> list[str]:
    """The ids of all bundled Modbus profiles, seen without parsing them; each has a simulated device."""
    texts = {f"{path.parent.name}.{path.stem}": path.read_text("utf-8") for path in BUNDLED.glob("*/*.yaml")}
    return sorted(name for name in texts if "protocol: modbus" in texts[_root(name, texts)])


def _root(name: str, texts: Mapping[str, str]) -> str:
    """The profile that this one begins with."""
    parent = re.search(r"extends: ([\w.-]+)", texts[name])
    return name if parent is None else _root(parent[1], texts)


class Stranger:
    """pyModbusTCP, connected to a device whose profile says `settings` of the order of words and bytes."""

    def __init__(self, address: str, settings: Mapping[str, Any]) -> None:
        at = urlsplit(address)
        self._client = ModbusClient(at.hostname, at.port, unit_id=int(parse_qs(at.query).get("unit", ["1"])[0]))
        self._settings = settings

    def read(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
        """What each of the rows means, None where the device refuses."""
        try:
            return {name: self._value(row) for name, row in rows.items()}
        finally:
            self._client.close()

    def _value(self, row: Mapping[str, Any]) -> object:
        table, start, *form = row["read"].split()
        ask = getattr(self._client, {"coil": "read_coils", "discrete": "read_discrete_inputs"}.get(table, ""), None)
        if ask is not None:
            bits = ask(int(start, 0), 1)
            return None if bits is None else bool(bits[0])
        words = getattr(self._client, f"read_{table}_registers")(int(start, 0), _count(form))
        return None if words is None else _meant(self._raw(words, form, row), row)

    def _raw(self, words: Sequence[int], form: Sequence[str], row: Mapping[str, Any]) -> object:
        if (row.get("byte_order") or self._settings.get("byte_order")) == "lsb":
            words = [word >> 8 | (word & 0xFF) << 8 for word in words]
        low_first = (row.get("word_order") or self._settings.get("word_order")) == "lsw"
        kind, *more = form
        match kind:
            case "text":
                return b"".join(word.to_bytes(2, "big") for word in words).split(b"\0")[0].decode("latin-1").rstrip()
            case "word":
                return words[int(more[0])]
            case "bit":
                return utils.test_bit(words[0], int(more[0]))
            case "bits":
                first, last = map(int, more[0].split(".."))
                return sum(bit << at for at, bit in enumerate(utils.get_bits_from_int(words[0], 16)[first : last + 1]))
        size = 16 * len(words)
        (number,) = words if size == 16 else utils.word_list_to_long(words, not low_first, LONG[kind])
        if kind.startswith("float"):
            return utils.decode_ieee(number, double=size == 64)
        return utils.get_2comp(number, size) if kind.startswith("int") else number


def _count(form: Sequence[str]) -> int:
    match form:
        case ["text", length]:
            return (int(length) + 1) // 2
        case ["word", _, "of", count]:
            return int(count)
        case [kind, *_]:
            return {"32": 2, "64": 4}.get(kind[-2:], 1)
    raise AssertionError(form)


def _meant(raw: Any, row: Mapping[str, Any]) -> object:
    """The value in the unit of the signal."""
    if "equals" in row:
        return raw == row["equals"]
    match row["type"]:
        case "bool":
            return bool(raw)
        case "text":
            return raw
    return raw * row.get("scale", 1) + row.get("offset", 0)


def _equal(told: Value | None, found: object) -> bool:
    if isinstance(told, str | bool) or isinstance(found, str | bool):
        return told == found
    assert isinstance(told, int | float)
    assert isinstance(found, int | float)
    return math.isclose(told, found, rel_tol=1e-6, abs_tol=1e-9)


@dataclass(frozen=True, slots=True)
class Served:
    """A simulated device: its profile as it stands in the file, as its driver is told, and what it has on its wire."""

    content: dict[str, Any]
    device: Device
    wire: Registers

    @property
    def id(self) -> str:
        """The id of the profile."""
        return str(self.content["profile"]["id"])

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """What can be read as often as one likes."""
        rows: dict[str, dict[str, Any]] = self.content["signals"]
        return {name: row for name, row in rows.items() if "read" in row and not row.get("clears")}

    async def asked(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, object]:
        """What the stranger finds in these rows."""
        stranger = Stranger(self.device.address, self.content.get("modbus", {}))
        return await asyncio.to_thread(stranger.read, rows)


def _stands(wire: str | Sequence[str]) -> dict[object, Value | None]:
    """What stands where by the wire of a golden vector: ``input 0x00: 4366 8000``, ``coil 3: 1 0``."""
    words: dict[object, Value | None] = {}
    for line in (wire,) if isinstance(wire, str) else wire:
        place, _, values = line.partition(":")
        table, start = place.split()
        numbers = [int(value, 2 if table in ("coil", "discrete") else 16) for value in values.split()]
        words |= {(table, int(start, 0) + at): number for at, number in enumerate(numbers)}
    return words


def _places(wire: str | Sequence[str]) -> list[str]:
    """The tables and the places of a golden vector."""
    places = [line.partition(":")[0] for line in ((wire,) if isinstance(wire, str) else wire)]
    return [*places, *(place.split()[0] for place in places)]


def _meanings(vector: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values that it gives for signals, without those that are bad."""
    return {
        name: value
        for name, value in vector.get("is", {}).items()
        if name in rows and (rows[name]["type"] == "text" or not isinstance(value, str))
    }


@pytest.fixture
async def served(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """The simulated device of a profile, on a port."""
    path = BUNDLED / (request.param.replace(".", "/", 1) + ".yaml")
    content = load(path)
    unit = parse_qs(urlsplit(content["profile"]["at"]).query).get("unit", ["1"])[0]
    described = device(path, f"modbus://127.0.0.1:502?unit={unit}")
    simulated = {"dev": Simulated(content["sim"]["model"], described.address, described)}
    async with Simulation(tmp_path, simulated, pace=STILL) as simulation:
        at = simulation.addresses["dev"]
        yield Served(content, replace(described, address=at), simulation.world.models["dev"].wire)


@pytest.mark.parametrize("served", modbus(), indirect=True)
async def test_a_stranger_finds_what_the_driver_tells(served: Served, link: RecordingLink) -> None:
    settings = served.device.settings
    left_out = () if "epoch" in settings else ("prepare",)  # without its epoch a device would not be spoken to
    kept = {key: each for key, each in settings.items() if key not in left_out}
    async with Running(ModbusDriver(replace(served.device, settings=kept)), link):
        await until(lambda: all(name in link.last for name in served.rows), 6.0)
    found = await served.asked(served.rows)
    good = [name for name in served.rows if link.last[name].quality is Quality.GOOD]
    pairs = {name: (link.last[name].value, found[name]) for name in good if (served.id, name) not in COUNTING}
    assert {name: pair for name, pair in pairs.items() if not _equal(*pair)} == {}
    assert len(good) > len(served.rows) / 2


@pytest.mark.parametrize("served", modbus(), indirect=True)
async def test_a_stranger_finds_what_the_manual_says(served: Served) -> None:
    """The registers hold what each golden vector of the profile says, and mean to the stranger what it says too."""
    compared = 0
    for vector in served.content["golden"]:
        is_set = not any((served.id, place) in NAMES for place in _places(vector["wire"]))
        if is_set and (wanted := _meanings(vector, served.rows)):
            served.wire.mask = Mask(frozen=_stands(vector["wire"]))
            found = await served.asked({name: served.rows[name] for name in wanted})
            assert {name: found[name] for name, value in wanted.items() if not _equal(value, found[name])} == {}, vector
            compared += len(wanted)
    assert compared > 0 or (served.id, "holding") in NAMES
