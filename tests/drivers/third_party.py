"""Modbus servers that are not ours, each a program of its own: ``python third_party.py NAME '{"121": 57984, ...}'``.

It prints its address; for each number on standard input it prints what that register holds; it ends with its input.
"""

import json
import os
import socket
import sys
import time
import tty
from collections.abc import Callable, Mapping
from typing import Any

Get = Callable[[int], int]
UNIT = 1


def pymodbustcp(registers: Mapping[int, int]) -> tuple[str, Get]:
    """The server of pyModbusTCP."""
    from pyModbusTCP.server import ModbusServer

    port = _free_port()
    server = ModbusServer("127.0.0.1", port, no_block=True)
    server.start()
    _listening(port)
    for register, value in registers.items():
        server.data_bank.set_holding_registers(register, [value])
    return f"modbus://127.0.0.1:{port}?unit={UNIT}", lambda at: int(server.data_bank.get_holding_registers(at, 1)[0])


def modbus_tk_tcp(registers: Mapping[int, int]) -> tuple[str, Get]:
    """The TCP server of modbus-tk."""
    from modbus_tk import modbus_tcp

    port = _free_port()
    server = modbus_tcp.TcpServer(port=port, address="127.0.0.1", timeout_in_sec=1)
    get = _filled(server, registers)
    _listening(port)
    return f"modbus://127.0.0.1:{port}?unit={UNIT}", get


def modbus_tk_rtu(registers: Mapping[int, int]) -> tuple[str, Get]:
    """The RTU server of modbus-tk, on its end of a pair of terminals; a thread is the cable."""
    import threading

    import serial
    from modbus_tk import modbus_rtu

    ours, theirs = os.openpty(), os.openpty()
    for end in (*ours, *theirs):
        tty.setraw(end)
    for source, sink in ((ours[0], theirs[0]), (theirs[0], ours[0])):
        threading.Thread(target=_carry, args=(source, sink), daemon=True).start()
    server = modbus_rtu.RtuServer(serial.Serial(os.ttyname(theirs[1]), 19_200), interchar_multiplier=20)
    return f"modbus+rtu:{os.ttyname(ours[1])}?baud=19200&unit={UNIT}", _filled(server, registers)


SERVERS = {"pyModbusTCP": pymodbustcp, "modbus-tk": modbus_tk_tcp, "modbus-tk-rtu": modbus_tk_rtu}


def _filled(server: Any, registers: Mapping[int, int]) -> Get:
    from modbus_tk import defines

    device = server.add_slave(UNIT)
    device.add_block("all", defines.HOLDING_REGISTERS, 0, 200)
    for register, value in registers.items():
        device.set_values("all", register, [value])
    server.start()
    return lambda at: int(device.get_values("all", at, 1)[0])


def _carry(source: int, sink: int) -> None:
    while data := os.read(source, 256):
        os.write(sink, data)


def _listening(port: int) -> None:
    """Their servers say that they have started before they listen."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    at, get = SERVERS[sys.argv[1]]({int(register): value for register, value in json.loads(sys.argv[2]).items()})
    print(at, flush=True)
    for line in sys.stdin:
        print(get(int(line)), flush=True)
    os._exit(0)  # their threads would go on
