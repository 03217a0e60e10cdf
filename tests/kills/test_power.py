"""The power fails below SQLite: what was acknowledged is on disk, whole, and in order. More: `tests.kills.soak`."""

import pytest

from tests.conftest import NOT_INSTALLED
from tests.kills.power import Cuts, File, Folder, NoCompiler, Record, cut
from tests.kills.scribe import DEFAULT

CUTS = 100


def cut_or_skipped(seed: int, cuts: int, synchronous: str) -> Cuts:
    try:
        return cut(seed, cuts, synchronous)
    except NoCompiler:
        pytest.skip(f"gcc {NOT_INSTALLED}: `make peers` installs it, where it can")


def test_what_was_acknowledged_survives_a_power_cut() -> None:
    told = cut_or_skipped(1, CUTS, DEFAULT)
    assert not told.found, "\n".join(told.found)
    assert told.cuts == CUTS
    assert told.entries > 1_000
    assert told.syncs > 100


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_journal_that_does_not_wait_for_the_disk_is_found_out(synchronous: str) -> None:
    assert any("were acknowledged" in found for found in cut_or_skipped(2, 30, synchronous).found)


def test_what_is_not_synchronised_may_be_missing_in_pieces() -> None:
    file = File()
    file.open = [(0, b"a" * 1024), (100, b"b" * 24)]
    file.synchronised()
    file.open = [(500, b"c" * 1000), (512, None)]
    seen = {bytes(file.image(_Coins(kept), 0.5)) for kept in range(16)}
    assert len(seen) > 4
    assert {content[:500] for content in seen} == {b"a" * 100 + b"b" * 24 + b"a" * 376}
    assert any(
        len(content) == 1024 and content[500:512] == b"c" * 12 and content[512:] == b"a" * 512 for content in seen
    )


def test_a_name_is_there_for_sure_when_its_folder_was_synchronised() -> None:
    folder = Folder()
    for record in (Record("O", "a", 0, b""), Record("W", "a", 0, b"x"), Record("S", "a", 0, b"")):
        folder.take(record)
    images = [dict(folder.image(_Coins(kept, share))) for kept in range(4) for share in (0, 5)]
    assert {} in images
    assert {"a": b"x"} in images
    folder.take(Record("D", ".", 0, b""))
    assert all(folder.image(_Coins(kept)) == {"a": b"x"} for kept in range(4))


class _Coins:
    """Random, but as the bits of a number say."""

    def __init__(self, bits: int, share: int = 2) -> None:
        self._bits, self._share = bits, share

    def random(self) -> float:
        self._bits, bit = divmod(self._bits, 2)
        return 0.0 if bit else 0.99

    def choice(self, what: tuple[float, ...]) -> float:
        return what[self._share]
