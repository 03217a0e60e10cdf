"""What people are told of a cell, as plain data: the link's view in the words of the API.

The rule kept here: the page, the API and the command line say the same, so it is put together in one place.
"""

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from cellctl.core.packml import Command

#: The languages of the page and of the texts for people; the first is what is told if another is not there.
LANGUAGES = ("en", "cy")

NOT_ON_TRIAL = "The cell does not run on simulated devices: nothing goes wrong here on purpose."


def cell_told(view: Mapping[str, Any]) -> dict[str, Any]:
    """The cell: what it does, why it waits, and which commands are possible."""
    asked = {one["id"]: {"choices": one["choices"], "sensors": one["sensors"]} for one in view["questions"]}
    why = [{**cause, **asked.get(cause["id"], {"choices": [], "sensors": []})} for cause in view["why"]]
    return {
        **view,
        "jobs_waiting": max(0, len(view["jobs"]) - 1),
        "counts": {"good": view["good"], "reject": view["reject"]},
        "waiting": [cause["text"] for cause in why],
        "why": why,
        "commands": [_rule(command, view) for command in Command],
        "stations": [_station(station, view["parts"]) for station in view["stations"]],
    }


def in_language(alarm: Mapping[str, Any], language: str) -> dict[str, Any]:
    """The alarm with its texts in a language; in English, or the only one, if the cell's files do not have it."""
    return {**alarm, **alarm["words"].get(language, {})}


def language_of(wanted: str, known: Collection[str] = LANGUAGES) -> str:
    """The language that an `Accept-Language` wants most of those that are known; English if it wants none of them."""
    weighed = []
    for order, one in enumerate(wanted[:1_000].split(",")):
        name, *options = one.strip().lower().split(";")
        weight = next((option.strip()[2:] for option in options if option.strip().startswith("q=")), "1")
        try:
            weighed.append((-float(weight), order, name.partition("-")[0].strip()))
        except ValueError:
            continue
    return next((name for weight, _, name in sorted(weighed) if name in known and weight < 0), LANGUAGES[0])


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that there is not."""
    names = list(known)
    close = get_close_matches(name, names, n=1)
    meant = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names[:20]) or 'none'}."
    return f"There is no {what} {name!r}. {meant}"


def sentence(text: str) -> str:
    """A text that begins as a sentence does and ends as one."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?", "!")) else ".")


def _rule(command: Command, view: Mapping[str, Any]) -> dict[str, Any]:
    name = command.name.lower()
    legal, refused = name in view["commands"], view["refusals"].get(name)
    reason = "" if legal else refused or f"Not possible in state {view['state']}"
    in_state = legal or refused is not None
    return {"command": name, "title": command.title, "in_state": in_state, "legal": legal, "reason": reason}


def _station(station: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    part = next(
        (part for part in parts if part["serial"] == station["part"] and part["station"] == station["id"]), None
    )
    if part is None:
        return {**station, "doing": "", "waits": []}
    phases = ", ".join(part["phases"])
    doing = f"{phases}: {part['progress']}" if part["progress"] else phases
    return {**station, "doing": doing, "waits": [wait.removeprefix(f"{phases}: ") for wait in part["waits"]]}
