"""A device whose program has the token block: on Modbus in the registers 128 to 139, on OPC UA as variables.

Its work, whatever the command, takes PARAM ms. When signs of life fail to come it stops, and tells that as its result.
What it keeps without power is kept by a restart too, unless its input `retains` is false.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from random import Random

from cellctl.driver import Value
from cellctl_simulators.token_block import DONE, STOPPED, Frame, Retained, TokenBlock
from cellctl_simulators.wire import Node, Nodes, Registers
from cellctl_simulators.world import Outputs

FIRST = 128
HEARTBEAT, EPOCH, CMD, PARAM, CRC, TOKEN = range(FIRST, FIRST + 6)
ECHO, SEEN_EPOCH, STATE, SEEN_TOKEN, DONE_TOKEN, RESULT = range(FIRST + 6, FIRST + 12)

NAMESPACE = "urn:cellctl:token-block"
#: What the controller writes, and what the device tells; the bits of STATE are variables of their own.
WRITTEN = ("Heartbeat", "Epoch", "Cmd", "Param", "Crc", "Token")
TOLD = ("HeartbeatEcho", "SeenEpoch", "SeenToken", "DoneToken", "Result", "Refused", "Busy", "CommTrip")
BITS = ("Busy", "CommTrip")

#: Of the clients' time, however fast this world goes.
LEASE_NS = 1_000_000_000


class TokenDevice(ABC):
    """The device, whatever it speaks. Inputs: `retains`, and `stuck`: its program stands still. Outputs: `working`,
    `executions`, `doubles` (work that was done once more), `trips`."""

    inputs: Mapping[str, Value] = {"retains": True, "stuck": False}

    def __init__(self) -> None:
        self._retained = Retained()
        self._end_ns: int | None = None
        self._beat = 0
        self._beat_ns: int | None = None  # None: not since it was switched on
        self._trips = 0
        self._stuck_ns: int | None = None  # since when
        self._retains, self._now_ns = True, 0
        self._block = TokenBlock(self._retained, self._begin)

    @property
    def retained(self) -> Retained:
        """What is left when it is switched off."""
        return self._retained if self._retains else self._retained.forgotten()

    @retained.setter
    def retained(self, retained: Retained) -> None:
        self._retained = retained
        self._block = TokenBlock(retained, self._begin)

    def update(self, now_ns: int, inputs: Mapping[str, Value]) -> Outputs:
        """Bring the device to `now_ns`."""
        self._now_ns, self._retains = now_ns, bool(inputs["retains"])
        if inputs["stuck"]:
            self._stuck_ns = now_ns if self._stuck_ns is None else self._stuck_ns
            return self._outputs(None)
        lease_ns = int(LEASE_NS * float(inputs.get("speed", 1.0)))
        if self._stuck_ns is not None and now_ns >= self._stuck_ns + lease_ns:
            self._beat_ns = None  # what came meanwhile is too old, and the signs of life are as old as the rest
        self._beat = self._beat if self._stuck_ns is None else self._heartbeat()
        self._stuck_ns = None
        self._listen(now_ns, lease_ns)
        if self._end_ns is not None and (now_ns >= self._end_ns or self._block.tripped):
            self._block.finish(DONE if now_ns >= self._end_ns else STOPPED)
            self._end_ns = None
        self._block.take(self._taken(), alive=self._beat_ns is not None and now_ns < self._beat_ns + lease_ns)
        block = self._block
        self._tell(self._beat, self._retained, block)
        watched = self._beat_ns is not None and not block.tripped
        lapse_ns = self._beat_ns + lease_ns if watched and self._beat_ns is not None else None
        due_ns = [at_ns for at_ns in (self._end_ns, lapse_ns) if at_ns is not None]
        return self._outputs(min(due_ns, default=None))

    def _listen(self, now_ns: int, lease_ns: int) -> None:
        """The signs of life."""
        if (beat := self._heartbeat()) != self._beat:
            self._beat, self._beat_ns = beat, now_ns
        silent = self._beat_ns is None or now_ns >= self._beat_ns + lease_ns
        if silent and not self._block.tripped:
            self._trips += 1
            self._block.trip()

    def _begin(self, cmd: int, param: int) -> None:
        self._end_ns = self._now_ns + param * 1_000_000

    def _outputs(self, due_ns: int | None) -> Outputs:
        executed = self._retained.executed
        outputs: dict[str, Value] = {"working": self._block.busy, "executions": executed.total(), "trips": self._trips}
        outputs["doubles"] = sum(count - 1 for count in executed.values())
        return Outputs(outputs, due_ns)

    @abstractmethod
    def _heartbeat(self) -> int:
        """The sign of life."""

    @abstractmethod
    def _taken(self) -> Frame:
        """The frame that was written; its place is free again."""

    @abstractmethod
    def _tell(self, echo: int, memory: Retained, block: TokenBlock) -> None:
        """Show what the controller reads."""


class ModbusTokenDevice(TokenDevice):
    """Behind Modbus."""

    def __init__(self, random: Random | None = None) -> None:
        super().__init__()
        self.wire = Registers(writable=range(HEARTBEAT, TOKEN + 1))
        self.wire.holding = dict.fromkeys(range(HEARTBEAT, RESULT + 1), 0)

    def _heartbeat(self) -> int:
        return self.wire.holding[HEARTBEAT]

    def _taken(self) -> Frame:
        holding = self.wire.holding
        frame = Frame(*(holding[place] for place in range(EPOCH, TOKEN + 1)))
        holding[TOKEN] = 0
        return frame

    def _tell(self, echo: int, memory: Retained, block: TokenBlock) -> None:
        words = (echo, memory.seen_epoch, block.state, memory.seen_token, memory.done_token, memory.result)
        self.wire.holding.update(enumerate(words, ECHO))


class OpcUaTokenDevice(TokenDevice):
    """Behind OPC UA."""

    def __init__(self, random: Random | None = None) -> None:
        super().__init__()
        nodes = {name: Node("UInt16", 0, writable=name in WRITTEN) for name in (*WRITTEN, *TOLD)}
        nodes |= {name: Node("Boolean", False) for name in BITS}
        self.wire = Nodes(NAMESPACE, {f"Cellctl.{name}": node for name, node in nodes.items()})

    def _heartbeat(self) -> int:
        return int(self.wire["Cellctl.Heartbeat"])

    def _taken(self) -> Frame:
        frame = Frame(*(int(self.wire[f"Cellctl.{name}"]) for name in WRITTEN[1:]))
        self.wire["Cellctl.Token"] = 0
        return frame

    def _tell(self, echo: int, memory: Retained, block: TokenBlock) -> None:
        told = (echo, memory.seen_epoch, memory.seen_token, memory.done_token, memory.result)
        for name, value in zip(TOLD, (*told, block.refused, block.busy, block.tripped), strict=True):
            self.wire[f"Cellctl.{name}"] = value


MODELS = {"cellctl.token-block": ModbusTokenDevice, "cellctl.token-block-opcua": OpcUaTokenDevice}
