"""The Python clients of P1 to P3: ``python -m benchmarks.exchange_client NAME SECONDS ADDRESS...``.

Each asks as fast as it is answered, and prints how many answers it got, in how many seconds, with how many CPU seconds,
and the time of the slowest but one in a hundred (s).
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from benchmarks.scan_client import SETTLING_S, IdleLink

#: Of P2: as many signals, so far apart.
SIGNALS, APART = 200, 5
#: Of P1, where the device takes so many requests at once.
AT_ONCE = 32


def ours(rows: Mapping[str, Mapping[str, object]], settings: Mapping[str, object], addresses: list[str]) -> list[Any]:
    """Our drivers of devices with these rows, one for each address, on a loop as the control process has it."""
    from cellctl.driver import Device, Point, Signal
    from cellctl.runtime import process
    from cellctl_drivers.modbus import ModbusDriver

    points = {
        name: Point(Signal(f"device.{name}", "int"), read=str(row["read"]), every_ns=1, options=_options(row))
        for name, row in rows.items()
    }
    drivers = [ModbusDriver(Device("device", "modbus", at, points, settings=settings)) for at in addresses]
    link = Link()

    async def run() -> list[float]:
        tasks = [asyncio.create_task(driver.run(link)) for driver in drivers]
        await asyncio.sleep(SETTLING_S)
        link.begin()
        await asyncio.sleep(SECONDS)
        found = link.end()
        for task in tasks:
            assert not task.done(), task.exception()
            task.cancel()
        await asyncio.wait(tasks)
        return found

    process.freeze()
    with asyncio.Runner(loop_factory=process.new_loop) as runner:
        return runner.run(run())


def _options(row: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key != "read"}


def ten(addresses: list[str]) -> list[Any]:
    """Ten registers, one request after the other."""
    return ours(_rows(10, 1), {}, addresses)


def pipelined(addresses: list[str]) -> list[Any]:
    """The same, with as many requests at once as a device may take."""
    return ours(_rows(10 * AT_ONCE, 1), {"max_registers": 10, "pipeline": AT_ONCE}, addresses)


def longest(addresses: list[str]) -> list[Any]:
    """As many registers as one request takes."""
    return ours(_rows(125, 1), {}, addresses)


def scattered(addresses: list[str]) -> list[Any]:
    """Many signals far apart, in the blocks of the read planner."""
    return ours(_rows(SIGNALS, APART), {"max_gap": APART}, addresses)


def one_by_one(addresses: list[str]) -> list[Any]:
    """The same signals, each in a request of its own."""
    return ours(_rows(SIGNALS, APART, alone=True), {}, addresses)


def pymodbus(addresses: list[str]) -> list[Any]:
    """Ten registers with pymodbus in the loop that most people write."""
    return asyncio.run(_pymodbus(urlsplit(addresses[0]).port, [0], 10))


def pymodbus_one_by_one(addresses: list[str]) -> list[Any]:
    """The signals of P2 with it, one after the other."""
    return asyncio.run(_pymodbus(urlsplit(addresses[0]).port, range(0, SIGNALS * APART, APART), 1))


async def _pymodbus(port: int | None, starts: Iterable[int], count: int) -> list[Any]:
    from pymodbus.client import AsyncModbusTcpClient

    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()
    link, end, begun = Link(), time.monotonic() + SETTLING_S + SECONDS, False
    while (now := time.monotonic()) < end:
        if not begun and now > end - SECONDS:
            link.begin()
            begun = True
        for start in starts:
            reply = await client.read_holding_registers(start, count=count)
            assert reply.registers[0] == start
            link.alive()
    found = link.end()
    client.close()
    return found


def _rows(count: int, apart: int, **options: object) -> dict[str, dict[str, object]]:
    return {f"r{n}": {"read": f"holding {n * apart} uint16", **options} for n in range(count)}


class Link(IdleLink):
    """It counts the answers, which never change."""

    def begin(self) -> None:
        """From now on it counts."""
        self._times: list[float] = [time.perf_counter()]
        self._cpu = time.process_time()

    def end(self) -> list[float]:
        """What there was."""
        cpu, times = time.process_time() - self._cpu, self._times
        took = sorted(after - before for before, after in pairwise(times))
        return [len(took), times[-1] - times[0], cpu, took[len(took) * 99 // 100]]

    _times: list[float] = []  # noqa: RUF012 - before it counts

    def put(self, samples: Iterable[Any]) -> None:
        """Once a second all values are told again."""
        if all(sample.good for sample in samples):
            self.alive()

    def alive(self, signals: Iterable[str] | None = None) -> None:
        """An answer."""
        self._times.append(time.perf_counter())


CLIENTS = {
    made.__name__: made for made in (ten, pipelined, longest, scattered, one_by_one, pymodbus, pymodbus_one_by_one)
}


if __name__ == "__main__":
    SECONDS = float(sys.argv[2])
    print(json.dumps(CLIENTS[sys.argv[1]](sys.argv[3:])))
