"""The token block of a device: what makes it do nothing twice. The rules are told in ``docs/reference/token-block.md``.

The rule kept here: nothing of the controller's code is used. The block is written a second time from its description,
so that one holds the other.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

#: Commands that are no work: take over an epoch, and reset the trip.
OPEN, RESET = 65_535, 65_534
#: Why a frame was not followed.
WRONG_CRC, OLD_EPOCH, OLD_TOKEN, TRIPPED, OCCUPIED = 1, 2, 3, 4, 5
#: What became of the work. Greater numbers are the application's own.
AT_WORK, DONE, FAILED, STOPPED = 0, 1, 2, 3

#: Epochs and tokens count from 1 to this; one that is up to half of it ahead is newer.
_COUNT, _HALF = 65_535, 32_767
#: For four bits at a time.
_CRC_OF = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """What a controller writes, but for its sign of life."""

    epoch: int = 0
    cmd: int = 0
    param: int = 0
    crc: int = 0
    token: int = 0  # 0: nothing was written

    def sealed(self) -> "Frame":
        """The same with the checksum that belongs to it."""
        return Frame(
            self.epoch, self.cmd, self.param, checksum(self.epoch, self.cmd, self.param, self.token), self.token
        )


@dataclass(slots=True)
class Retained:
    """What the device keeps without power; and, beside it, the truth: how often each token was really worked on."""

    seen_epoch: int = 0
    seen_token: int = 0
    done_token: int = 0
    result: int = 0
    fresh: bool = False  # no token was taken in this epoch yet
    executed: Counter[int] = field(default_factory=Counter)

    def forgotten(self) -> "Retained":
        """Without its memory; what was done stays done."""
        return Retained(executed=self.executed)


class TokenBlock:
    """One block. `start` begins the work of a command; whoever does it tells its end with `finish`."""

    def __init__(self, retained: Retained, start: Callable[[int, int], None]) -> None:
        self.memory = retained
        self.busy = False
        self.tripped = True  # until a person, or the controller for one, resets it
        self.refused = 0
        self._start = start

    @property
    def state(self) -> int:
        """The word STATE."""
        return self.busy | self.tripped << 1 | self.refused << 8

    def trip(self) -> None:
        """No sign of life came for too long."""
        self.tripped = True

    def finish(self, result: int) -> None:
        """The work has come to its end."""
        self.memory.result = result
        self.memory.done_token = self.memory.seen_token
        self.busy = False

    def take(self, frame: Frame, *, alive: bool) -> None:
        """A frame came in; `alive`: and signs of life."""
        if not frame.token:
            return
        self.refused = self._judged(frame, alive)

    def _judged(self, frame: Frame, alive: bool) -> int:
        memory = self.memory
        if frame.sealed() != frame:
            return WRONG_CRC
        if frame.cmd == OPEN:
            return self._open(frame.epoch)
        if frame.epoch == 0 or frame.epoch != memory.seen_epoch:
            return OLD_EPOCH
        if frame.cmd == RESET:
            self.tripped = self.tripped and not alive
            return 0 if alive else TRIPPED
        if frame.token == memory.seen_token:
            return 0  # it is told again what became of it, and nothing is done
        if not memory.fresh and not newer(frame.token, memory.seen_token):
            return OLD_TOKEN
        if self.tripped:
            return TRIPPED
        if self.busy:
            return OCCUPIED
        memory.seen_token, memory.fresh, memory.result, self.busy = frame.token, False, AT_WORK, True
        memory.executed[frame.token] += 1
        self._start(frame.cmd, frame.param)
        return 0

    def _open(self, epoch: int) -> int:
        memory = self.memory
        if epoch and (memory.seen_epoch == 0 or newer(epoch, memory.seen_epoch)):
            memory.seen_epoch, memory.fresh = epoch, True
            return 0
        return 0 if epoch and epoch == memory.seen_epoch else OLD_EPOCH


def newer(number: int, than: int) -> bool:
    """Whether an epoch or a token is the later one."""
    return 1 <= (number - than) % _COUNT <= _HALF


def checksum(*words: int) -> int:
    """The CRC-16 of Modbus over words, the high byte of each first."""
    crc = 0xFFFF
    for byte in b"".join(word.to_bytes(2, "big") for word in words):
        crc = crc >> 4 ^ _CRC_OF[(crc ^ byte) & 15]
        crc = crc >> 4 ^ _CRC_OF[(crc ^ byte >> 4) & 15]
    return crc
