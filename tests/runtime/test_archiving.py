"""A running control moves old entries of its journal into an archive by itself."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cellctl.records import ARCHIVE_FOLDER, Records
from cellctl.records.files import archives
from tests.records.made import counted, snapshot, write

from .doubles import until


async def test_control_archives_what_is_old(start: Callable[..., Any], tmp_path: Path) -> None:
    write(tmp_path, [*counted(1_200), snapshot()])
    async with start() as running:
        async with asyncio.timeout(20):
            await _archived(tmp_path, 1_200)
        await until(lambda: not running.journal.waiting_s)
    assert Records(tmp_path).verify().reason == ""
    assert Records(tmp_path).entries(limit=1)[0].sequence == 1
    assert Records(tmp_path).latest(limit=1)[0].kind == "end"


async def test_control_that_ends_meanwhile_goes_on_the_next_time(start: Callable[..., Any], tmp_path: Path) -> None:
    last = write(tmp_path, [*counted(3_000), snapshot()]) - 1
    async with start():
        await asyncio.sleep(0.2)
    assert Records(tmp_path).verify().reason == ""
    async with start():
        async with asyncio.timeout(20):
            await _archived(tmp_path, last)
    assert Records(tmp_path).verify().reason == ""
    assert [each.sequence for each in Records(tmp_path).entries(limit=5_000)][:last] == list(range(1, last + 1))


async def _archived(folder: Path, last: int) -> None:
    await until(lambda: any(each.last == last for each in archives(folder / ARCHIVE_FOLDER)))
