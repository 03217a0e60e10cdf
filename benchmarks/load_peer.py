"""The peer of P10: ``python -m benchmarks.load_peer SECONDS PERIOD REGISTERS PORT...`` prints its % of a core."""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusTcpClient


async def main() -> float:
    """Poll all devices for so long."""
    seconds, period_s, registers = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])

    async def poll(port: str) -> None:
        client = AsyncModbusTcpClient("127.0.0.1", port=int(port))
        await client.connect()
        while True:
            reply = await client.read_holding_registers(0, count=registers)
            assert len(reply.registers) == registers
            await asyncio.sleep(period_s)

    tasks = [asyncio.create_task(poll(port)) for port in sys.argv[4:]]
    await asyncio.sleep(1)
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    for task in tasks:
        assert not task.done()
        task.cancel()
    await asyncio.wait(tasks)
    return cpu / seconds * 100


if __name__ == "__main__":
    print(asyncio.run(main()))
