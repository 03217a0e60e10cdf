"""The page that says how far each driver keeps the rules of drivers, drawn from their quality files.

The rule kept here: what is done names the test that proves it; nothing is left out because it is not done.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from ruamel.yaml import YAML

Page = Callable[..., str]
Table = Callable[[tuple[str, ...], Iterable[tuple[object, ...]]], str]

DRIVERS = Path(__file__).parents[1] / "drivers" / "cellctl_drivers"

#: rule -> what it asks.
RULES: Mapping[str, str] = {
    "checked_without_io": "every wrong address, row and setting is found by `cellctl check`, without a device",
    "identified_first": "another device than the expected one is refused, and nothing is written to it",
    "qualities": "each value comes with quality and times; what is no value is bad, with the reason",
    "read_back": "a write is confirmed by what the device then says, not by its yes",
    "never_twice": "what may have been done is not sent again by the driver",
    "out_of_range": "what is out of range, or only read, never leaves",
    "stale_orders": "what waited too long is not sent",
    "loss_noticed": "a lost connection is noticed at once",
    "silence_noticed": "a device that is connected and silent is noticed, within a bound",
    "late_answers": "a late answer is never taken for the next one",
    "garbage": "what is no answer is never believed",
    "bounded": "a device that floods, or never ends its answer, fills no memory",
    "orders_overtake": "an order goes before readings",
    "nothing_left_open": "cancelled at any moment, it leaves no socket, task or unanswered order",
    "reconnects": "the next connection works as the first",
    "fewest_requests": "signals are read with the fewest requests that the device allows",
    "keeps_alive": "what keeps the device alive goes before everything else",
    "golden_vectors": "profiles are held against what manuals say of the wire",
    "without_wire": "it works without a wire too, with the same outcome, for fast tests",
    "replayed": "its traffic can be recorded, read and replayed",
    "encrypted": "it can speak encrypted and authenticated",
    "browse": "a device can be asked what it has, by reading alone",
    "third_party": "it is held against far ends that are not ours",
}

#: What the links of the drivers are tried with, and what no protocol can tell.
LINKS = (
    "## What is held of links",
    "Six devices on five links (Modbus TCP, two units on one RTU line, RTU behind a gateway, a serial port, OPC UA)"
    " suffer [faults of the line](testing.md#kinds-of-faults) by chance, in virtual time, while each is read and given"
    " one order after the other. The devices count by a known law, and keep a book of what they took. Held against it:"
    " no value is believed that was not true a moment ago; an order that was confirmed was taken once, one that was"
    " refused or not sent never, an unknown one once at most; each link is back within what its time-outs and the"
    " pauses of reconnecting add up to; nothing stays open. Four hundred faults are in every run of the suite, and a"
    " break after every byte of an exchange; ten thousand are in `make soak`.",
    "No protocol can tell everything. On a line whose answers carry no number (RTU, also over TCP, and lines of text on"
    " a serial port) one that is later than twice its time-out may be taken for the next: choose the time-out from the"
    " device's manual. Where the protocol has no checksum (Modbus TCP, lines of text, OPC UA that is not signed), bytes"
    " that something turns into others after TCP has checked them are believed.",
)


def pages(page: Page, table: Table) -> Mapping[str, Callable[[], str]]:
    """File name -> what draws it."""
    return {"reference/drivers.md": partial(_page, page, table)}


def drivers() -> dict[str, dict[str, dict[str, str]]]:
    """driver -> rule -> {done, exempt or open: what}."""
    return {path.parent.name: YAML(typ="safe").load(path) for path in sorted(DRIVERS.glob("*/quality.yaml"))}


def _page(page: Page, table: Table) -> str:
    found = drivers()
    rows = [(told, *(_mark(found[name][rule]) for name in found)) for rule, told in RULES.items()]
    notes = [
        f"- `{name}`, {told}: {kind}, {what}."
        for rule, told in RULES.items()
        for name in found
        for kind, what in found[name][rule].items()
        if kind != "done"
    ]
    return page(
        "Drivers",
        "What is asked of every driver, and how far each keeps it. *done*: a test proves it, named in the driver's"
        " `quality.yaml`. *exempt*: it does not apply. *open*: it is missing.",
        table(("rule", *found), rows),
        "## What is not done",
        "\n".join(notes),
        *LINKS,
    )


def _mark(told: Mapping[str, str]) -> str:
    (kind,) = told
    return kind
