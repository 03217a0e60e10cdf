"""The rules of the token block as one table: what was before, what is sent, and what then is told and done.

The rule kept here: each row of the table in docs/reference/token-block.md is a row here, under the same name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cellctl_simulators.token_block import OPEN, RESET, Frame
from tests.tokens.blocks import Bench

EPOCH = 7


def frame(token: int, *, epoch: int = EPOCH, cmd: int = 1, param: int = 40) -> Frame:
    return Frame(epoch, cmd, param, token=token).sealed()


def ready(bench: Bench) -> None:
    """Alive, in the epoch 7, and not tripped; token 100 is done."""
    bench.beat()
    bench.lasts(20)
    bench.send(frame(EPOCH, cmd=OPEN))
    bench.send(frame(1, cmd=RESET))
    bench.send(frame(100))
    bench.lasts(100)


def _at_work(bench: Bench) -> None:
    bench.send(frame(101, param=5_000))
    bench.lasts(30)


def _silent(bench: Bench) -> None:
    bench.alive = False
    bench.lasts(1_500)


def _back(bench: Bench) -> None:
    _silent(bench)
    bench.alive = True
    bench.lasts(300)


def _off_in_between(bench: Bench) -> None:
    _at_work(bench)
    bench.block.power_cycle(keeps=True)
    bench.beat()
    bench.lasts(20)
    bench.send(frame(EPOCH + 1, epoch=EPOCH + 1, cmd=OPEN))
    bench.send(frame(2, epoch=EPOCH + 1, cmd=RESET))


def _forgot(bench: Bench) -> None:
    bench.block.power_cycle(keeps=False)
    bench.beat()
    bench.lasts(20)


def _new_epoch(bench: Bench) -> None:
    bench.send(frame(EPOCH + 1, epoch=EPOCH + 1, cmd=OPEN))


def _stands_before_power(bench: Bench) -> None:
    """A frame that nobody took before the power went, in registers that keep what they hold."""
    bench.block.words.update(enumerate((EPOCH, 1, 40, frame(101).crc, 101), 129))
    bench.block.power_cycle(keeps=True)
    bench.block.words[133] = 0  # of those that do not keep it, or were taken
    _new_epoch(bench)


def _nothing(_: Bench) -> None:
    pass


@dataclass(frozen=True)
class Rule:
    """What was done `before` on a block that is `ready`, the frame that is sent (None: none), the code of its refusal
    (0: none), whether work is begun, and whether the block is tripped then."""

    before: Callable[[Bench], None]
    sent: Frame | None
    refused: int = 0
    begins: bool = False
    tripped: bool = False


RULES: Mapping[str, Rule] = {
    "a new token": Rule(_nothing, frame(101), begins=True),
    "the same token again": Rule(_nothing, frame(100)),
    "the same token while busy": Rule(_at_work, frame(101)),
    "another token while busy": Rule(_at_work, frame(102), refused=5),
    "an older token": Rule(_nothing, frame(99), refused=3),
    "a token too far ahead": Rule(_nothing, frame(100 + 32_768), refused=3),
    "a token just near enough": Rule(_nothing, frame(100 + 32_767), begins=True),
    "a wrong checksum": Rule(_nothing, Frame(EPOCH, 1, 40, 0xBEEF, 101), refused=1),
    "an older epoch": Rule(_nothing, frame(101, epoch=EPOCH - 1), refused=2),
    "an epoch that was not opened": Rule(_nothing, frame(101, epoch=EPOCH + 1), refused=2),
    "no epoch": Rule(_nothing, frame(101, epoch=0), refused=2),
    "opening a newer epoch": Rule(_nothing, frame(8, epoch=EPOCH + 1, cmd=OPEN)),
    "opening the same epoch": Rule(_nothing, frame(EPOCH, cmd=OPEN)),
    "opening an older epoch": Rule(_nothing, frame(6, epoch=EPOCH - 1, cmd=OPEN), refused=2),
    "opening no epoch": Rule(_nothing, frame(6, epoch=0, cmd=OPEN), refused=2),
    "any token first in a new epoch": Rule(_new_epoch, frame(50, epoch=EPOCH + 1), begins=True),
    "the last token first in a new epoch": Rule(_new_epoch, frame(100, epoch=EPOCH + 1)),
    "no sign of life": Rule(_silent, frame(101), refused=4, tripped=True),
    "signs of life after a trip": Rule(_back, frame(101), refused=4, tripped=True),
    "reset after a trip": Rule(_back, frame(101, cmd=RESET)),
    "reset without signs of life": Rule(_silent, frame(101, cmd=RESET), refused=4, tripped=True),
    "reset in an older epoch": Rule(_back, frame(101, epoch=EPOCH - 1, cmd=RESET), refused=2, tripped=True),
    "power lost in the middle": Rule(_off_in_between, frame(101, epoch=EPOCH + 1)),
    "memory lost": Rule(_forgot, frame(101), refused=2, tripped=True),
    "tripped at power on": Rule(_stands_before_power, frame(102, epoch=EPOCH + 1), refused=4, tripped=True),
}
