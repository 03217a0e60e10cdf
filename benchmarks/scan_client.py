"""The two Python clients of P4: ``python -m benchmarks.scan_client ours|peer PORT SECONDS`` prints its CPU seconds."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any

REGISTERS = 100
PERIOD_S = 0.01
#: What is not counted: connections are made, caches are filled.
SETTLING_S = 0.3


def main() -> None:
    """Poll for so long, and print the CPU seconds that it took, without the start."""
    name, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    print(CLIENTS[name](port, seconds))


def ours(port: int, seconds: float) -> float:
    """Our driver, on a loop as the control process has it."""
    from cellctl.driver import Device, Point, Signal
    from cellctl.runtime import process
    from cellctl_drivers.modbus import ModbusDriver

    points = {
        f"r{n}": Point(Signal(f"device.r{n}", "int"), read=f"holding {n} uint16", every_ns=round(PERIOD_S * 1e9))
        for n in range(REGISTERS)
    }
    driver = ModbusDriver(Device("device", "modbus", f"modbus://127.0.0.1:{port}", points))

    async def scan() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLING_S + seconds):
                await driver.run(IdleLink())

    process.prioritise()
    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        return runner.run(_measured(scan()))


def peer(port: int, seconds: float) -> float:
    """Pymodbus in the loop that most people write."""
    from pymodbus.client import AsyncModbusTcpClient

    async def poll() -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=port)
        await client.connect()
        end = time.monotonic() + SETTLING_S + seconds
        while time.monotonic() < end:
            reply = await client.read_holding_registers(0, count=REGISTERS)
            assert len(reply.registers) == REGISTERS
            await asyncio.sleep(PERIOD_S)
        client.close()

    return asyncio.run(_measured(poll()))


CLIENTS = {"ours": ours, "peer": peer}


async def _measured(work: Coroutine[Any, Any, None]) -> float:
    """The CPU seconds of `work`, which ends by itself, after its first moment."""
    task = asyncio.create_task(work)
    await asyncio.sleep(SETTLING_S)
    start = time.process_time()
    await task
    return time.process_time() - start


class IdleLink:
    """What our driver is given: it takes samples and never has an order."""

    now = staticmethod(time.monotonic_ns)

    def up(self, identity: str = "") -> None:
        """Nobody asks."""

    def put(self, samples: Iterable[object]) -> None:
        """Take them."""
        assert all(getattr(sample, "good", False) for sample in samples)

    def alive(self, signals: Iterable[str] | None = None) -> None:
        """Nobody asks."""

    async def order(self) -> Any:
        """There is none."""
        await asyncio.Event().wait()

    def done(
        self, order: object, outcome: object, result: Mapping[str, object] | None = None, reason: str = ""
    ) -> None:
        """There is none."""

    def common(self, key: object, make: Callable[[], Any]) -> Any:
        """Nothing is shared here."""
        return make()


if __name__ == "__main__":
    main()
