"""Which answer a request gets from a recording, and how a person reads it."""

import pytest

from cellctl.testing.traffic.recording import Entry, Event, Head, Recording, TrafficError
from cellctl.testing.traffic.replay import Replay
from cellctl.testing.traffic.told import told


def recording_of(*talk: tuple[str, bytes] | str, address: str = "serial", protocol: str = "serial") -> Recording:
    """A recording: ">" or "<" with bytes, or the name of an event; 10 ms between two of them."""
    head = Head("dev", protocol, "some-device", address, "2026-01-05T06:00:00.000Z")
    events = {">": Event.TO_DEVICE, "<": Event.FROM_DEVICE}
    entries, connection, order = [], 0, 0
    for number, one in enumerate(talk):
        event, data = (Event(one), b"") if isinstance(one, str) else (events[one[0]], one[1])
        connection += event is Event.OPEN
        order += event is Event.ORDER
        entries.append(Entry(number * 10_000_000, event, connection, data, number=order))
    return Recording(head, entries)


def answered(replay: Replay, request: bytes) -> bytes:
    answer = replay.ask(request)
    assert answer is not None
    return b"".join(chunk for _, chunk in answer.chunks)


def test_each_question_has_its_own_answers_and_keeps_the_last() -> None:
    talk = [(">", b"A\n"), ("<", b"1\n"), (">", b"B\n"), ("<", b"x\n"), (">", b"A\n"), ("<", b"2\n")]
    replay = Replay(recording_of("open", *talk))
    replay.connect()
    assert [answered(replay, b"A\n") for _ in range(4)] == [b"1\n", b"2\n", b"2\n", b"2\n"]
    assert answered(replay, b"B\n") == b"x\n"


def test_an_order_given_early_takes_the_recording_with_it() -> None:
    polls = [(">", b"A\n"), ("<", b"off\n"), (">", b"A\n"), ("<", b"off\n")]
    order = ["order", (">", b"ON\n"), ("<", b"OK\n"), "done", (">", b"A\n"), ("<", b"on\n")]
    replay = Replay(recording_of("open", *polls, *order))
    replay.connect()
    assert answered(replay, b"A\n") == b"off\n"
    assert replay.waits_for == repr("ON\n")
    assert answered(replay, b"ON\n") == b"OK\n"
    assert answered(replay, b"A\n") == b"on\n", "never the state before the order"
    assert replay.ended
    assert replay.waits_for == ""


def test_however_often_is_asked_nothing_is_told_from_behind_an_order() -> None:
    order = ["order", (">", b"ON\n"), ("<", b"OK\n"), "done", (">", b"A\n"), ("<", b"on\n")]
    replay = Replay(recording_of("open", (">", b"A\n"), ("<", b"off\n"), *order))
    replay.connect()
    assert {answered(replay, b"A\n") for _ in range(9)} == {b"off\n"}
    assert not replay.ended


def test_an_order_that_a_lost_connection_left_open_is_over() -> None:
    first = ["open", "order", (">", b"ON\n"), "lost"]
    polls = [(">", b"A\n"), ("<", b"1\n"), (">", b"B\n"), ("<", b"x\n"), (">", b"A\n"), ("<", b"2\n")]
    replay = Replay(recording_of(*first, "open", *polls))
    replay.connect()
    replay.ask(b"ON\n")
    replay.connect()
    assert [answered(replay, ask) for ask in (b"B\n", b"A\n", b"A\n")] == [b"x\n", b"1\n", b"2\n"]


def test_answers_come_as_late_as_they_came() -> None:
    replay = Replay(recording_of("open", (">", b"A\n"), ("<", b"1"), ("<", b"\n")))
    replay.connect()
    answer = replay.ask(b"A\n")
    assert answer is not None
    assert answer.chunks == [(pytest.approx(0.01), b"1"), (pytest.approx(0.02), b"\n")]


def test_a_device_that_hung_up_does_so_again_and_the_next_connection_goes_on() -> None:
    first = ["open", (">", b"A\n"), ("<", b"1\n"), (">", b"A\n"), "lost"]
    replay = Replay(recording_of(*first, "open", ("<", b"hello\n"), (">", b"A\n"), ("<", b"2\n")))
    assert replay.connect().chunks == []
    assert replay.waits_for == "a new connection"
    assert replay.connect().chunks == (), "who comes in between takes nothing away"
    assert answered(replay, b"A\n") == b"1\n"
    answer = replay.ask(b"A\n")
    assert answer is not None
    assert (answer.chunks, answer.lost_s) == ([], pytest.approx(0.01))
    assert [chunk for _, chunk in replay.connect().chunks] == [b"hello\n"]
    assert answered(replay, b"A\n") == b"2\n"


READ, READ_ANSWER = bytes.fromhex("000500000006010300640001"), bytes.fromhex("00050000000501030200ff")


def test_the_transaction_number_of_modbus_may_be_another() -> None:
    replay = Replay(recording_of("open", (">", READ), ("<", READ_ANSWER), address="modbus", protocol="modbus"))
    replay.connect()
    assert answered(replay, b"\xff\xff" + READ[2:]) == b"\xff\xff" + READ_ANSWER[2:]
    for transaction in (b"\x00\x06", b"\x00\x07"):
        assert replay.ask(transaction + READ[2:-1] + b"\x02") is None
    (told,) = replay.unknown.values()
    assert "read holding 100..101" in told
    assert told.endswith("unit 1: read holding 100.")


def test_a_wrong_transaction_number_is_as_wrong_as_it_was() -> None:
    wrong = b"\x00\x04" + READ_ANSWER[2:]
    replay = Replay(recording_of("open", (">", READ), ("<", wrong), address="modbus", protocol="modbus"))
    replay.connect()
    assert answered(replay, b"\x00\x00" + READ[2:])[:2] == b"\xff\xff"


def beat(transaction: int, value: int, register: int = 40) -> bytes:
    head = transaction.to_bytes(2, "big") + bytes.fromhex("0000 0006 01 06")
    return head + register.to_bytes(2, "big") + value.to_bytes(2, "big")


def test_a_watchdog_may_count_on() -> None:
    beats = [one for number in (1, 2, 3) for one in ((">", beat(number, number)), ("<", beat(number, number)))]
    value = [one for number in (7, 7, 9) for one in ((">", beat(9, number, 50)), ("<", beat(9, number, 50)))]
    replay = Replay(recording_of("open", *beats, *value, address="modbus", protocol="modbus"))
    replay.connect()
    assert answered(replay, beat(70, 4_000)) == beat(70, 4_000)
    assert replay.ask(beat(70, 8, 50)) is None, "a value that was never written is another matter"


def test_what_cannot_be_replayed_is_told() -> None:
    with pytest.raises(TrafficError, match="can be read, not replayed: every message of OPC UA"):
        Replay(recording_of("open", (">", b"HEL"), address="opc.tcp", protocol="opcua"))
    with pytest.raises(TrafficError, match="holds no request"):
        Replay(recording_of("open"))


# --- as a person reads it -------------------------------------------------------------------------------------------


def test_modbus_is_told_in_words() -> None:
    refused = bytes.fromhex("000500000003018302")
    talk = ["open", (">", READ), ("<", READ_ANSWER), (">", READ), ("<", refused), (">", beat(6, 17)), "lost"]
    texts = [text.rpartition("  ")[2] for _, _, text in told(recording_of(*talk, address="modbus"))]
    assert texts == [
        "connected",
        "unit 1: read holding 100",
        "unit 1: = 255",
        "unit 1: read holding 100",
        "unit 1: refused, there is no such address (exception 2)",
        "unit 1: write holding 40 = 17",
        "lost",
    ]
