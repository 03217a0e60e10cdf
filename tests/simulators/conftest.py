"""The battery-module cell for these tests: its devices by address, and a bench that plays the controller by hand."""

from pathlib import Path

import pytest

from cellctl_simulators import World
from cellctl_simulators.catalog import Catalog
from cellctl_simulators.simulation import Simulated

CELL = Path(__file__).parents[2] / "recipes" / "battery-module"
DEVICES = {
    "plc": Simulated("bm1-plc", "opc.tcp://10.20.1.10:4840"),
    "robot": Simulated("bm1-robot", "modbus://10.20.1.11:502"),
    "grip": Simulated("robotiq.2f85", "modbus+rtu:/dev/ttyUSB0?baud=115200&unit=9"),
    "laser": Simulated("lx2-laser", "serial:/dev/ttyUSB1?baud=115200"),
    "eol": Simulated("hp500-hipot", "tcp://10.20.1.15:5025"),
    "meter": Simulated("eastron.sdm630", "modbus://10.20.1.20:502?unit=3"),
}
MS = 1_000_000
S = 1_000_000_000


class Bench:
    """Works the world of the cell through the wires of its models, without a loop and without a socket."""

    def __init__(self, *, seed: int = 0, speed: float = 1.0) -> None:
        names = {id: device.model for id, device in DEVICES.items()}
        self.world: World = Catalog.of(CELL).build(names, seed=seed, speed=speed)
        self.wires = {id: model.wire for id, model in self.world.models.items()}
        self.token = 0
        self.wait(0)

    def wait(self, duration_ns: int) -> None:
        """Let the devices notice what is on their wires now, then let time pass."""
        self.world.advance(self.world.now_ns)
        self.world.advance(self.world.now_ns + duration_ns)

    def truth(self) -> dict:
        return self.world.truth()

    def violations(self) -> list[str]:
        return [each["what"] for each in self.truth()["violations"]]

    def next_token(self) -> int:
        self.token += 1
        return self.token

    def feed(self) -> None:
        self.wires["plc"]["Load.FeedToken"] = self.next_token()
        self.wait(S)

    def clamp(self, closed: bool) -> None:
        self.wires["plc"]["Weld.Clamp"] = closed
        self.wait(0)

    def goto(self, point: int) -> None:
        self.wires["robot"].write(16, 128, [point, self.next_token()])
        self.wait(S)
        assert self.wires["robot"].read(3, 130, 2) == [point, self.token]

    def activate(self) -> None:
        self.wires["grip"].write(16, 1000, [0x0100, 0, 0])
        self.wait(2 * S)

    def close(self) -> None:
        self.wires["grip"].write(16, 1000, [0x0900, 0x00FF, 0xFF80])
        self.wait(S)

    def open(self) -> None:
        self.wires["grip"].write(16, 1000, [0x0900, 0x0000, 0xFF80])
        self.wait(S)

    def tell(self, device: str, line: str, *, wait_ns: int = 0) -> list[str]:
        ask = self.wires[device].ask(line)
        self.wait(wait_ns)
        return ask.replies

    def laser_on(self) -> None:
        assert self.tell("laser", "ON") == ["OK"]
        self.wait(400 * MS)

    def fire(self, token: int, *, ms: int = 80) -> list[str]:
        self.tell("laser", "WDG")
        return self.tell("laser", f"FIRE {token} {ms}", wait_ns=300 * MS)

    def carry(self, source: int, target: int) -> None:
        self.goto(source)
        self.close()
        self.goto(target)
        self.open()


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.activate()
    return bench


@pytest.fixture
def new_bench() -> type[Bench]:
    return Bench


@pytest.fixture
def cell() -> Path:
    return CELL


@pytest.fixture
def devices() -> dict[str, Simulated]:
    return DEVICES
