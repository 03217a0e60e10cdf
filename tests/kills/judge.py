"""What must hold after any number of kills: the world, which knows the truth, against the journal.

The rule kept here: the world tells what was really done, the journal what is believed; neither is asked about itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cellctl.gateway.parts import Parts
from cellctl.model import CellModel, simulators
from cellctl.records import Records, Written

#: Every weld point of a module, by its recipe.
POINTS = {"module-8s": 16, "module-12s": 24}

#: Commands that must not be executed twice.
PULSES = ("plc.feed", "laser.fire")


def findings(folder: Path, truth: Mapping[str, Any], model: CellModel, ordered: Sequence[tuple[str, int]]) -> list[str]:
    """What is wrong, in words: `truth` is the world's, `ordered` what was to be made (recipe and quantity)."""
    records = Records(folder)
    entries, parts = records.entries(limit=10_000_000), Parts(folder).latest(1_000_000)[::-1]
    found = [f"the world: {violation}" for violation in truth["violations"]]
    found += _compared(truth, parts, model)
    found += _accounted(truth, parts, entries, ordered)
    found += _welded(truth, parts)
    found += _once(truth, entries)
    if (broken := records.verify().broken_at) is not None:
        found.append(f"the chain of the journal is broken at entry {broken}")
    return found


def _compared(truth: Mapping[str, Any], parts: Sequence[Mapping[str, Any]], model: CellModel) -> list[str]:
    """The world itself compares what is on record: where each part went, and what was measured of it."""
    world = simulators().simulation(model, direct=True).world
    world.modules = {code: SimpleNamespace(code=code, **told) for code, told in truth["parts"].items()}
    return list(world.compare(parts))


def _accounted(
    truth: Mapping[str, Any],
    parts: Sequence[Mapping[str, Any]],
    entries: Sequence[Written],
    ordered: Sequence[tuple[str, int]],
) -> list[str]:
    """Every part is begun once and ended once, and there are as many as were ordered and as are in the world."""
    found = []
    wanted = sum(quantity for _, quantity in ordered)
    for kind, name in (("part", "part"), ("part.done", "part"), ("job", "job"), ("job.done", "job")):
        found += [f"{kind} {what!r} is on record {times} times" for what, times in _repeated(entries, kind, name)]
    codes = Counter(record["value"] for part in parts for record in part["records"] if record["name"] == "code")
    found += [f"{code} is {codes[code]} parts on record" for code in truth["parts"] if codes[code] != 1]
    results = Counter(str(part["result"]) for part in parts)
    counts = {
        "fed": (truth["fed"], wanted),
        "good": (truth["good"], results["good"]),
        "reject": (truth["reject"], results["scrap"]),
        "ended": (truth["good"] + truth["reject"], wanted),
        "parts on record": (wanted, len(parts)),
    }
    found += [f"{what}: {true} in truth, {told} wanted" for what, (true, told) in counts.items() if true != told]
    return found


def _repeated(entries: Iterable[Written], kind: str, name: str) -> list[tuple[str, int]]:
    times = Counter(str(entry.data[name]) for entry in entries if entry.kind == kind)
    return [(what, count) for what, count in times.items() if count > 1]


def _welded(truth: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every point of every good part is welded once, in order."""
    found = []
    for part in parts:
        codes = [record["value"] for record in part["records"] if record["name"] == "code"]
        welds = truth["parts"].get(codes[-1] if codes else "", {}).get("welds")
        if part["result"] == "good" and welds != list(range(1, POINTS[part["recipe"]["id"]] + 1)):
            found.append(f"{part['serial']} is good, and welded at {welds}")
    return found


def _once(truth: Mapping[str, Any], entries: Sequence[Written]) -> list[str]:
    """Each pulse of the truth is one that was intended and done, and no other has its token."""
    true = {"plc.feed": truth["fed"], "laser.fire": sum(len(part["welds"]) for part in truth["parts"].values())}
    found = []
    for command in PULSES:
        done = [entry.data for entry in entries if entry.kind == "done" and entry.data["command"] == command]
        tokens = {(data["part"], data["token"]) for data in done}
        places = Counter((data["part"], data["step"], data["key"]) for data in done)
        found += [f"{command} at {place} is done {times} times" for place, times in places.items() if times > 1]
        if not true[command] == len(done) == len(tokens):
            found.append(f"{command}: {true[command]} times in truth, done {len(done)}, tokens {len(tokens)}")
    return found
