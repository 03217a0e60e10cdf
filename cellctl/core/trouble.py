"""The alarms that every cell has: troubles of the controller itself, and devices that are lost.

The rule kept here: one table, with what happened and what to do, in every language. What the runtime tells is a
`Trouble` with one of these names; a name with a device behind its point belongs to that device: ``link.laser``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellctl.core.messages import LinkChanged, LinkState
from cellctl.core.signal import Value

#: A device that is not connected for this long needs a person; one that is another device needs one at once.
LINK_BOUND_NS = 10_000_000_000

_HOUR_NS = 3_600_000_000_000

#: Language -> what happened, and what to do.
Words = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TroubleSpec:
    """An alarm that needs no condition. `shelve_ns` is the longest that it may be shelved, 0 for never.

    `reaction`: what the cell does for as long as it lasts, hold or abort.
    """

    priority: str
    shelve_ns: int
    words: Words
    reaction: str = ""


JOURNAL_FULL, JOURNAL_ERROR, JOURNAL_SLOW = "system.journal_full", "system.journal_error", "system.journal_slow"
DISK_LOW = "system.disk_low"
CLOCK_SET, RESTART, CERTIFICATE = "system.clock_set", "system.restart", "certificate"
OF_LINKS = LINK, SPARE, WRONG = "link", "spare", "wrong"

TROUBLES: Mapping[str, TroubleSpec] = {
    JOURNAL_FULL: TroubleSpec(
        "high",
        0,
        {
            "en": ("The disk of the controller is full", "Free space on it. Then Unhold."),
            "cy": ("Mae disg y rheolydd yn llawn", "Rhyddhewch le arno. Yna Dad-ddal."),
        },
        "hold",
    ),
    DISK_LOW: TroubleSpec(
        "low",
        8 * _HOUR_NS,
        {
            "en": ("The disk of the controller is nearly full: {free_mb} MB are free", "Free space on it."),
            "cy": ("Mae disg y rheolydd bron yn llawn: {free_mb} MB yn rhydd", "Rhyddhewch le arno."),
        },
    ),
    JOURNAL_ERROR: TroubleSpec(
        "high",
        0,
        {
            "en": ("The journal cannot be written: {reason}", "Call maintenance: check the disk of the controller."),
            "cy": ("Ni ellir ysgrifennu'r cofnod: {reason}", "Galwch y tîm cynnal: gwiriwch ddisg y rheolydd."),
        },
        "abort",
    ),
    JOURNAL_SLOW: TroubleSpec(
        "medium",
        0,
        {
            "en": ("The disk of the controller is too slow", "Wait until it is well again. Then Unhold."),
            "cy": ("Mae disg y rheolydd yn rhy araf", "Arhoswch nes ei fod yn iawn eto. Yna Dad-ddal."),
        },
        "hold",
    ),
    CLOCK_SET: TroubleSpec(
        "low",
        _HOUR_NS,
        {
            "en": ("The clock of the controller was set by {step_s} s", "Check the date and the time."),
            "cy": ("Gosodwyd cloc y rheolydd o {step_s} s", "Gwiriwch y dyddiad a'r amser."),
        },
    ),
    RESTART: TroubleSpec(
        "medium",
        0,
        {
            "en": ("Control ended without order", "Look into every station. Then Clear."),
            "cy": ("Daeth y rheolaeth i ben heb drefn", "Edrychwch i bob gorsaf. Yna Clirio."),
        },
    ),
    CERTIFICATE: TroubleSpec(
        "medium",
        24 * _HOUR_NS,
        {
            "en": ("The certificate of {name} ends on {end}", "Renew it: cellctl cert renew."),
            "cy": ("Daw tystysgrif {name} i ben ar {end}", "Adnewyddwch hi: cellctl cert renew."),
        },
    ),
    LINK: TroubleSpec(
        "medium",
        8 * _HOUR_NS,
        {
            "en": ("{name} is not connected: {reason}", "Check its power and its cable."),
            "cy": ("Nid yw {name} wedi'i gysylltu: {reason}", "Gwiriwch ei drydan a'i gebl."),
        },
    ),
    SPARE: TroubleSpec(
        "low",
        24 * _HOUR_NS,
        {
            "en": ("{name} is not connected: {reason}", "The cell goes on. Check its power and its cable."),
            "cy": ("Nid yw {name} wedi'i gysylltu: {reason}", "Mae'r gell yn parhau. Gwiriwch ei drydan a'i gebl."),
        },
    ),
    WRONG: TroubleSpec(
        "high",
        0,
        {
            "en": ("{name} is another device: {reason}", "Check its address and its cable."),
            "cy": ("Dyfais arall yw {name}: {reason}", "Gwiriwch ei gyfeiriad a'i gebl."),
        },
    ),
}

#: What another version of cellctl called a trouble is told by its name.
_UNKNOWN = TroubleSpec("medium", 0, {"en": ("{alarm}", "Call maintenance."), "cy": ("{alarm}", "Galwch y tîm cynnal.")})


class _Known(dict[str, Value]):
    def __missing__(self, name: str) -> str:
        return "?"


def is_trouble(alarm: str) -> bool:
    """Whether the alarm is one of these, not one of the cell's files: those have no point in their names."""
    return "." in alarm


def trouble_spec(alarm: str) -> TroubleSpec:
    """What the table says of the alarm."""
    return TROUBLES.get(alarm) or TROUBLES.get(alarm.partition(".")[0], _UNKNOWN)


def trouble_words(alarm: str, data: Mapping[str, Value]) -> dict[str, tuple[str, str]]:
    """What happened and what to do, in every language."""
    filled = _Known({**data, "alarm": alarm})
    return {
        language: (text.format_map(filled), do.format_map(filled))
        for language, (text, do) in trouble_spec(alarm).words.items()
    }


def link_trouble(link: LinkChanged, *, needed: bool) -> str:
    """The name of the alarm that tells that a device cannot be used."""
    kind = WRONG if link.state is LinkState.WRONG_DEVICE else LINK if needed else SPARE
    return f"{kind}.{link.device}"
