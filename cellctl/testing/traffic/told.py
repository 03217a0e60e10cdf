"""A recording as a person reads it: each entry with a mark and a text."""

from collections.abc import Iterator

from cellctl.testing.traffic.recording import BYTES, Entry, Event, Recording
from cellctl.testing.traffic.wires import wire_of

#: The mark of a line, and what an entry without bytes says before its text.
_MARKS = {Event.TO_DEVICE: ">", Event.FROM_DEVICE: "<"}
_WORDS = {
    Event.OPEN: "connected",
    Event.CLOSED: "closed by cellctl",
    Event.LOST: "lost",
    Event.ORDER: "order",
    Event.DONE: "order",
    Event.GAP: "entries are missing here",
}


def told(recording: Recording) -> Iterator[tuple[Entry, str, str]]:
    """Each entry with its mark (``>`` to the device, ``<`` from it, ``-`` else) and its text: bytes and meaning."""
    wire = wire_of(recording.head.address, ())
    asked: dict[int, bytes] = {}  # the last request of each connection
    for entry in recording.entries:
        if entry.event in BYTES:
            answers = asked.get(entry.connection) if entry.event is Event.FROM_DEVICE else None
            if entry.event is Event.TO_DEVICE:
                asked[entry.connection] = entry.data
            yield entry, _MARKS[entry.event], wire.shown(entry.data, answers)
        else:
            number = f" {entry.number}" if entry.event in (Event.ORDER, Event.DONE) else ""
            words = f"{entry.number} {_WORDS[entry.event]}" if entry.event is Event.GAP else _WORDS[entry.event]
            yield entry, "-", f"{words}{number}{f': {entry.text}' if entry.text else ''}"
