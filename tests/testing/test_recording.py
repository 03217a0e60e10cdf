"""The file of a recording: what is written is read, whatever became of the file, and a disk costs entries only."""

import errno
import json
import time
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from cellctl.testing.traffic.file import TrafficFile, recording_to
from cellctl.testing.traffic.recording import Entry, Event, Head, Kept, Recording, TrafficError, read_recording

HEAD = Head("dev", "serial", "some-device", "serial", "2026-01-05T06:00:00.000Z")

ENTRIES = (
    Entry(0, Event.OPEN, 1),
    Entry(1_000_001, Event.TO_DEVICE, 1, b"PWR?\r\n"),
    Entry(2_000_000, Event.FROM_DEVICE, 1, b"PWR 7\r\n"),
    Entry(3_000_000, Event.TO_DEVICE, 1, b"\x00\xff"),
    Entry(4_000_000, Event.ORDER, text="dev.on token=3", number=12),
    Entry(5_000_000, Event.LOST, 1, text="reset"),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    Recording(HEAD, ENTRIES).save(tmp_path / "dev.traffic")
    return tmp_path / "dev.traffic"


def test_what_is_saved_is_what_is_read(saved: Path) -> None:
    recording = read_recording(saved)
    assert (recording.head, tuple(recording.entries), recording.notes) == (HEAD, ENTRIES, ())
    assert json.loads(saved.read_text().splitlines()[2])["text"] == "PWR?\r\n", "text can be read"


def test_of_a_file_that_is_cut_off_the_rest_is_used(saved: Path) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[:-10])
    recording = read_recording(saved)
    assert tuple(recording.entries) == ENTRIES[:-1]
    assert recording.notes == ("It is cut off in line 7; what stands before is used.",)


def test_a_file_can_be_cut_off_anywhere(saved: Path) -> None:
    whole = saved.read_bytes()
    head = whole.index(b"\n") + 1
    for size in range(len(whole) + 1):
        saved.write_bytes(whole[:size])
        if size < head:
            with pytest.raises(TrafficError, match="is no recording"):
                read_recording(saved)
        else:
            recording = read_recording(saved)
            assert tuple(recording.entries) == ENTRIES[: len(recording.entries)]
            assert bool(recording.notes) == (whole[size - 1 : size] != b"\n")


def test_of_a_damaged_file_what_stands_before_is_used(saved: Path) -> None:
    lines = saved.read_text().splitlines()
    for wrong in ("{}", "[1]", "\x00\x01", '{"s": "x", "event": "open"}', '{"s": 1, "event": "to_device", "hex": "0"}'):
        saved.write_text("\n".join([*lines[:3], wrong, *lines[3:]]) + "\n")
        recording = read_recording(saved)
        assert tuple(recording.entries) == ENTRIES[:2]
        assert recording.notes == ("It is damaged from line 4; what stands before is used.",)


def test_of_another_version_what_is_understood_is_used(saved: Path) -> None:
    head, *lines = saved.read_text().splitlines()
    newer = {**json.loads(head), "cellctl_traffic": 2, "product": "cellctl 9.0", "voltage": 24}
    saved.write_text("\n".join([json.dumps(newer), '{"s": 0, "event": "level", "v": 3.3}', *lines]) + "\n")
    recording = read_recording(saved)
    assert tuple(recording.entries) == ENTRIES
    assert recording.notes == (
        "It has format 2 (cellctl 9.0), this is format 1: 6 of 7 entries are understood and used.",
    )


@pytest.mark.parametrize("content", [b"", b"\n", b"cellctl: 1\n", b'{"a": 1}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(TrafficError, match=r"x is no recording of a device's traffic"):
        read_recording(tmp_path / "x")


def test_a_head_that_says_too_little_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"cellctl_traffic": 1, "device": "laser"}\n')
    with pytest.raises(TrafficError, match=r"does not say of which device it is: .*'protocol'"):
        read_recording(tmp_path / "x")
    with pytest.raises(TrafficError, match="cannot be read: No such file"):
        read_recording(tmp_path / "y")


def test_what_is_kept_of_a_long_test_is_its_beginning_and_its_end() -> None:
    kept = Kept(begin_max=2, last_max=3)
    for at_ns in range(10):
        kept.put(Entry(at_ns, Event.OPEN, 1))
    assert [(one.at_ns, one.number) for one in kept.entries()] == [(0, 0), (1, 0), (7, 5), (7, 0), (8, 0), (9, 0)]


def test_a_file_stays_within_its_limit_and_tells_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "dev.traffic"
    with recording_to(path, HEAD, limit_bytes=20_000) as file:
        for number in range(5_000):
            while file._queue.qsize() > 1_000:
                time.sleep(0.001)
            file.put(Entry(number * 1_000, Event.TO_DEVICE, 1, b"PWR %d\r\n" % number))
            if number % 500 == 0:
                assert path.stat().st_size <= 20_000
    recording = read_recording(path)
    assert path.stat().st_size <= 20_000
    assert [path.name] == [one.name for one in tmp_path.iterdir()]
    gap = next(one for one in recording.entries if one.event is Event.GAP)
    assert recording.notes == (f"{gap.number} entries were left out when it was recorded.",)
    assert gap.number + len(recording.entries) - 1 == 5_000
    assert recording.entries[0].data == b"PWR 0\r\n"
    assert recording.entries[-1].data == b"PWR 4999\r\n"


class FullDisk(FileIO):
    """A file on a disk that is full after some bytes, until there is space again."""

    room = 300

    def write(self, data: Any) -> int:
        size = len(data)
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super().write(bytes(data)[: self.room])
        type(self).room -= size
        return written


def test_a_full_disk_costs_entries_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dev.traffic"
    monkeypatch.setattr(FullDisk, "room", 500)
    file = TrafficFile(path, FullDisk(path, "xb"), limit_bytes=1_000_000)
    file.start(HEAD)

    def put(numbers: range) -> None:
        for number in numbers:
            file.put(Entry(number, Event.TO_DEVICE, 1, b"%d\r\n" % number))
            while file._queue.qsize():
                pass

    put(range(20))
    while "cannot be written" not in caplog.text:
        time.sleep(0.01)
    assert read_recording(path).notes == (), "no torn line stays"
    FullDisk.room = 1_000_000
    put(range(20, 25))
    file.close()
    recording = read_recording(path)
    gap = next(one for one in recording.entries if one.event is Event.GAP)
    assert gap.number + len(recording.entries) - 1 == 25
    assert recording.entries[-1].data == b"24\r\n"
    assert caplog.text.count("cannot be written") == 1, "told once"
    assert "No space left on device" in caplog.text


def test_a_file_that_is_there_is_not_overwritten_and_an_empty_one_not_left(saved: Path, tmp_path: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(TrafficError, match="is there already, and is not overwritten"), recording_to(saved, HEAD):
        pass
    assert saved.read_bytes() == before
    with pytest.raises(TrafficError, match="cannot be written: No such file"), recording_to(tmp_path / "a" / "b", HEAD):
        pass
    with recording_to(tmp_path / "c", HEAD):
        assert (tmp_path / "c").exists()
    assert not (tmp_path / "c").exists()
