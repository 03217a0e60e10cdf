"""The history on a real disk: says little and enough, keeps days and bytes bounded, and never holds anybody up."""

import sqlite3
import time
from pathlib import Path

import pytest

from cellctl.core.signal import Quality, Sample
from cellctl.records import DAY_NS, Records, day_table, day_tables
from cellctl.runtime import history as history_module
from cellctl.runtime.clock import Clock
from cellctl.runtime.history import HOUSEKEEPING_NS, History, Limits

from .doubles import SIGNALS

NOW = time.time_ns() // DAY_NS * DAY_NS + DAY_NS // 2
SECOND = 1_000_000_000


def sample(value: object, at_s: float, signal: str = "oven.temp", quality: Quality = Quality.GOOD) -> Sample:
    return Sample(signal, value, quality, 0, NOW + int(at_s * SECOND))  # type: ignore[arg-type]


def stored(folder: Path, signal: str = "oven.temp") -> list[object]:
    return [one.value for one in Records(folder).samples(signal, 0, NOW + DAY_NS)]


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path, SIGNALS, Clock())


def test_a_number_is_stored_when_it_leaves_its_deadband(tmp_path: Path, history: History) -> None:
    history.put([sample(value, at) for at, value in enumerate((20.0, 20.1, 20.19, 20.21, 20.3, 25.0))])
    history.work()
    history.close()
    assert stored(tmp_path) == [20.0, 20.21, 25.0], "0.1 % of 0..200 degC is 0.2"


def test_quality_and_time_store_what_did_not_move(tmp_path: Path, history: History) -> None:
    history.put(
        [sample(20.0, 0), sample(20.0, 1, quality=Quality.BAD), sample(20.0, 2), sample(20.0, 61), sample(20.0, 62)]
    )
    history.work()
    history.close()
    found = Records(tmp_path).samples("oven.temp", 0, NOW + DAY_NS)
    assert [(one.quality, (one.time_ns - NOW) // SECOND) for one in found] == [
        (Quality.GOOD, 0),
        (Quality.BAD, 1),
        (Quality.GOOD, 2),
        (Quality.GOOD, 62),
    ]


def test_truths_and_texts_are_stored_when_they_change(tmp_path: Path, history: History) -> None:
    history.put([sample(value, at, "oven.door") for at, value in enumerate((True, True, False, False, True))])
    history.put([sample(1.0, 9, "ghost.signal")])
    history.work()
    history.close()
    assert stored(tmp_path, "oven.door") == [1, 0, 1]
    assert stored(tmp_path, "ghost.signal") == []


def test_what_does_not_fit_is_dropped_and_counted(
    tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "WAITING_MAX", 10)
    for number in range(20):
        history.put([sample(float(number), number)])
    assert history.dropped == 10
    history.work()
    history.put([sample(99.0, 99)])
    history.work()
    history.close()
    assert stored(tmp_path) == [*map(float, range(10)), 99.0]


def test_one_turn_of_the_writer_is_short(tmp_path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "TURN_MAX", 2)
    for number in range(5):
        history.put([sample(float(number), number)])
    assert history.work() == 0.0
    assert stored(tmp_path) == [0.0, 1.0]
    history.work()
    assert history.work() == history_module.WRITE_S
    history.close()
    assert len(stored(tmp_path)) == 5


def tables(folder: Path) -> list[str]:
    database = sqlite3.connect(folder / "history.db")
    try:
        return day_tables(database)
    finally:
        database.close()


def test_each_day_has_its_table_and_old_days_are_dropped(tmp_path: Path) -> None:
    history = History(tmp_path, SIGNALS, Clock(), limits=Limits(days=3))
    history.put([sample(float(day), -86_400 * day) for day in (6, 5, 4, 3, 2, 1, 0)])
    history.work()
    assert len(tables(tmp_path)) == 7
    for _ in range(8):
        history._tidy_at_ns = 0
        history.work()
    history.close()
    assert tables(tmp_path) == [day_table(NOW - day * DAY_NS) for day in (3, 2, 1, 0)]
    assert stored(tmp_path) == [3.0, 2.0, 1.0, 0.0]


def test_a_file_too_big_loses_its_oldest_days_and_then_takes_no_more(tmp_path: Path) -> None:
    history = History(tmp_path, SIGNALS, Clock(), limits=Limits(bytes=200_000))
    for day in (2, 1, 0):
        history.put([sample(float(number), number - 86_400 * day) for number in range(1500)])
        history._tidy_at_ns = time.time_ns() + 6 * HOUSEKEEPING_NS
        history.work()
    history._limits = Limits(bytes=20_000)
    for _ in range(4):
        history._tidy_at_ns = 0
        history.work()
    assert tables(tmp_path) == [day_table(NOW)]
    history.put([sample(7.0, 5000)])
    history.work()
    assert history.dropped == 1
    (free,) = history._opened().execute("PRAGMA freelist_count").fetchone()
    history.close()
    assert free == 0, "the pages of dropped days are given back"


def test_a_disk_in_trouble_is_told_and_harms_nobody(tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "gone"
    history = History(folder, SIGNALS, Clock(), trouble=told.append)
    history.put([sample(1.0, 0)])
    assert history.work() == history_module.WRITE_S
    assert history.dropped == 1
    assert "cannot be written" in told[0]
    folder.mkdir()
    history.put([sample(2.0, 1)])
    history.work()
    history.close()
    assert stored(folder) == [2.0]


def test_the_history_of_a_newer_cellctl_is_left_alone(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "history.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    told: list[str] = []
    history = History(tmp_path, SIGNALS, Clock(), trouble=told.append)
    history.put([sample(1.0, 0)])
    history.work()
    assert "format 99" in told[0]


def test_a_trend_is_low_high_and_mean_of_each_interval(tmp_path: Path, history: History) -> None:
    history.put([sample(float(number % 10 * 10), number) for number in range(100)])
    history.put([sample(5.0, 100, quality=Quality.BAD)])
    history.work()
    history.close()
    trend = Records(tmp_path).trend("oven.temp", NOW, NOW + 101 * SECOND, points=10)
    assert sum(point.count for point in trend) == 100
    assert all((point.low, point.high, round(point.mean)) == (0.0, 90.0, 45) for point in trend[1:-1])
    assert len(trend) <= 11
