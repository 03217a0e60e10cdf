"""Lines that a simulated device says by itself: each connection hears those that come while it is there."""

from cellctl_simulators.servers.line import LineSession
from cellctl_simulators.wire import SAID_MAX, Lines


def connected(wire):
    sent = []
    return LineSession(sent.append, wire, lambda: None), sent


def test_every_connection_hears_what_is_said_while_it_is_there():
    wire = Lines(end="\r")
    wire.say("before")
    first, told_first = connected(wire)
    wire.say("A")
    first.refresh()
    second, told_second = connected(wire)
    wire.say("B")
    for session in (first, second, first):
        session.refresh()
    assert (told_first, told_second) == ([b"A\r", b"B\r"], [b"B\r"])


def test_what_nobody_fetched_is_forgotten():
    wire = Lines()
    session, told = connected(wire)
    for number in range(SAID_MAX + 10):
        wire.say(str(number))
    session.refresh()
    assert (len(told), told[0]) == (SAID_MAX, b"10\r\n")


def test_a_new_connection_is_greeted():
    wire = Lines(end="\0", greeting="[3000][Connected]")
    assert connected(wire)[1] == [b"[3000][Connected]\0"]


def test_frames_go_out_and_lines_with_another_end_come_in():
    wire = Lines(start="\x02", end="\x03", takes="\r")
    session, told = connected(wire)
    session.feed(b"first\rsec")
    session.feed(b"ond\r")
    first, second = wire.take()
    assert (first.text, second.text) == ("first", "second")
    second.reply("yes")
    session.refresh()
    assert told == [b"\x02yes\x03"]
