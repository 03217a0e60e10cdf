"""Which faults happen: a function of the seed.

The rule kept here: no fault lies in a way that nobody could find out. What carries no checksum has no bytes turned
into others but those that the driver checks; what carries no number is never later than twice its time-out; and what a
device hears is never said twice, for then the device itself does it twice.
"""

from random import Random

from cellctl.faults import Fault, fault
from tests.drivers.servers import crc
from tests.links.limits import LINKS

#: How long most faults last, and how long a few do.
_LASTING_S = (0.03, 0.1, 0.3, 0.7, 1.0, 2.0)
_MINUTE_S, _MINUTES = 60.0, 0.02

#: Kinds that may last so long.
_LONG = frozenset({"unplug", "black_hole"})

_KINDS = (
    "unplug", "unplug", "reset", "cut", "cut", "cut", "hang", "hang", "no_reply", "black_hole", "delay", "delay",
    "loss", "duplicate", "reorder", "truncate", "corrupt", "corrupt", "split", "slow", "garbage", "garbage", "foreign",
    "foreign", "foreign", "flood", "reboot", "busy",
)  # fmt: skip

_UNITS = {"oven": 2, "fan": 3, "pump": 4}


def drawn(random: Random, device: str) -> tuple[Fault, float]:
    """A fault of the device, and how long it lasts (s)."""
    kind = random.choice(_KINDS)
    lasting_s = random.choice(_LASTING_S)
    if kind in _LONG and random.random() < _MINUTES:
        lasting_s = _MINUTE_S
    if kind == "busy" and device == "robot":
        kind = "reset"
    if kind == "busy":
        return fault("set", f"{device}.busy", to=True), lasting_s
    if kind == "foreign":
        return fault("garbage", device, **_foreign(random, device)), lasting_s
    return fault(kind, device, **_options(random, kind, device)), lasting_s


def _options(random: Random, kind: str, device: str) -> dict[str, object]:
    limits = LINKS[device]
    way = random.choice(("answers", "both")) if limits.checked else "answers"
    share = random.choice((0.1, 0.4, 1.0))
    match kind:
        case "cut" | "hang":
            return {"after": random.randint(0, 60), "way": random.choice(("requests", "answers", "both"))}
        case "delay":
            by_s = limits.longest_delay_s * random.choice((0.02, 0.2, 0.7, 1.5))
            return {"by": by_s, "jitter": limits.longest_delay_s * random.choice((0.0, 0.3, 0.6))}
        case "slow":
            return {"rate": random.choice((60, 300, 3000) if limits.numbered else (200, 1000))}
        case "flood":
            return {"rate": random.choice((200, 4000))}
        case "loss":
            return {"share": share, "way": random.choice(("requests", "answers", "both"))}
        case "duplicate" | "reorder":
            return {"share": share, "way": "answers"}
        case "corrupt":
            return {"share": share, "way": way, "first": 0 if limits.checked else 8}
        case "truncate" | "garbage":
            where = {"place": random.choice(("before", "instead", "after"))} if kind == "garbage" else {}
            return {"share": share, "way": way, **where}
        case _:
            return {}


def _foreign(random: Random, device: str) -> dict[str, object]:
    """An answer to somebody else, or to another question, in the right form."""
    place = random.choice(("before", "instead"))
    text = random.choice(foreign_to(device))
    return {"share": random.choice((0.3, 1.0)), "way": "answers", "place": place, "bytes": text.hex()}


def foreign_to(device: str) -> tuple[bytes, ...]:
    """Answers that are none of the device's, or not to what it is asked."""
    match device:
        case "press":
            four = bytes.fromhex("03 04 0000 0001")
            return (
                bytes.fromhex("0000 0000 0007 01") + four,  # of no transaction
                bytes.fromhex("FFFE 0000 0007 01") + four,  # of another one
                bytes.fromhex("FFFE 0000 0003 01 83 02"),
                bytes.fromhex("0005 0000 0007 09") + four,  # of another unit
                bytes.fromhex("0005 0001 0007 01") + four,  # of another protocol
                bytes.fromhex("0005 0000 FFFF 01") + bytes(300),  # that never ends
                bytes.fromhex("0005 0000 0000 01") + bytes(3),  # of no length
            )
        case "oven" | "fan" | "pump":
            unit = _UNITS[device]
            bodies = (
                bytes([unit ^ 1, 3, 4, 0, 0, 0, 1]),  # of another unit
                bytes([unit, 4, 4, 0, 0, 0, 1]),  # of another function
                bytes([unit, 3, 6, 0, 0, 0, 1, 0, 2]),  # of another length
                bytes([unit, 3, 250]) + bytes(250),
                bytes([unit ^ 1, 0x83, 2]),
                bytes([unit, 16, 0, 99, 0, 2]),  # a write that was not ordered
            )
            return (*(body + crc(body) for body in bodies), bytes([unit, 3, 4, 0, 0, 0, 1, 0, 0]), bytes(1000))
        case "scale":
            lines = (b"LEVEL 7 7", b"COUNT 7 8", b"COUNT 7 7 7", b"OK", b"", b"ERR", b"count 7 7", b"x" * 9000)
            return (*(line + b"\r\n" for line in lines), b"x" * 5000, b"\r\n" * 500)
        case _:
            return (
                b"MSGF\xff\xff\xff\x7f" + bytes(16),
                b"ERRF\x10\0\0\0" + bytes(8),
                b"ACKF" + bytes(30),
                b"HTTP/1.1 400\r\n\r\n",
            )
