"""The phases of a cell: every file of `phases/`, looked at first, then run to see what it defines.

The rule kept here: a file of phases may be as broken as it likes; what it raises becomes a problem with its line.
"""

import marshal
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cellctl.core.parameter import Parameter
from cellctl.core.phase import BUILT_IN_FAULTS, PhaseDefinition
from cellctl.model.conditions import Known
from cellctl.model.phase_file import PhaseFile
from cellctl.model.phase_source import PhaseSource, SourceCheck, SourceFile
from cellctl.model.problems import Place, Report, Wrong, did_you_mean
from cellctl.model.python_source import parsed
from cellctl.model.quantity import known_unit

#: Words of the procedure's grammar: a phase of this name could not be called in a recipe.
RESERVED = frozenset({"id", "when", "on_fault", "parallel", "with", "do", "for_each"})


@dataclass(slots=True)
class Phases:
    """The phases of a cell, and the file of each; `complete` is false if a file could not be run, so that names may be
    missing."""

    definitions: dict[str, PhaseDefinition] = field(default_factory=dict)
    files: dict[str, PhaseFile] = field(default_factory=dict)
    complete: bool = True


def read_phases(folder: Path, known: Known, report: Report) -> Phases:
    """All phases of the cell in `folder`."""
    phases = Phases()
    sources: dict[str, PhaseSource] = {}
    for path in sorted((folder / "phases").glob("*.py")):
        python = parsed(path, folder, report)
        if python is None:
            phases.complete = False
            continue
        file = SourceFile(path, *python)
        SourceCheck(file, known, report).check()
        found = None if file.fatal else _run(file, folder, report)
        if found is None:
            phases.complete = False
            continue
        compiled, definitions = found
        for name, definition in definitions.items():
            source = file.phases.get(name)
            if source is None:
                continue
            if name in sources:
                first = sources[name].place
                hint = f"it stands in {first.file.name} line {first.line} too"
                report.add(source.place, Wrong("E410", f"the phase {name!r} is defined twice", hint))
                continue
            sources[name] = source
            errors = report.errors
            _check(definition, source, known, report)
            if report.errors == errors:
                phases.definitions[name], phases.files[name] = definition, compiled
            else:
                phases.complete = False
    return phases


def _run(file: SourceFile, folder: Path, report: Report) -> tuple[PhaseFile, Mapping[str, PhaseDefinition]] | None:
    """The file as it can be run again, and what it defines."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code = compile(file.tree, str(file.path), "exec")
        name = f"cellctl_phases.{folder.resolve().name}.{file.path.stem}"
        compiled = PhaseFile(name, str(file.path), marshal.dumps(code))
        return compiled, compiled.definitions()
    except (Exception, SystemExit) as error:
        report.add(_raised_at(file, error), _raised(error))
        return None


def _raised_at(file: SourceFile, error: BaseException) -> Place:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file.path)]
    return Place(file.path, lines[-1] or 1 if lines else 1)


def _raised(error: BaseException) -> Wrong:
    hint = "a file of phases must be readable without any device"
    if isinstance(error, ImportError):
        hint = "install the module, or do without it: helpers stand in the same file"
    elif isinstance(error, TypeError):
        hint = "declare it as: async def name(c, power: float = param('W', 1200, 1600))"
    return Wrong("E411", f"{type(error).__name__}: {str(error) or 'no reason given'}".splitlines()[0], hint)


def _check(definition: PhaseDefinition, source: PhaseSource, known: Known, report: Report) -> None:
    """What the decorator and the parameters say, against the cell."""
    named = [definition.station or "", *(definition.uses or ()), *definition.faults, *definition.human_only]
    if not all(isinstance(name, str) for name in named):
        report.add(source.place, Wrong("E414", "a name in @phase is not a text", "write names in quotes"))
        return
    if definition.name in RESERVED:
        wrong = Wrong("E129", f"{definition.name!r} is a word of the procedure", "give the phase another name")
        report.add(source.place, wrong)
    station = definition.station
    if station is not None and station not in known.stations:
        wrong = Wrong("E408", f"there is no station {station!r}", did_you_mean(station, known.stations))
        report.add(source.argument("station"), wrong)
    for device in sorted(definition.uses or ()):
        if device not in known.devices:
            if device not in known.incomplete:
                hint = did_you_mean(device, known.devices)
                report.add(source.argument("uses"), Wrong("E407", f"there is no device {device!r}", hint))
        elif station in known.stations and device not in known.stations[str(station)].uses:
            hint = f"add {device!r} to 'uses' of the station {station!r} in cell.yaml"
            wrong = Wrong("E409", f"the station {station!r} does not use {device!r}", hint)
            report.add(source.argument("uses"), wrong)
    for kind in sorted(definition.human_only):
        if not definition.knows(kind):
            hint = did_you_mean(kind, [*definition.faults, *BUILT_IN_FAULTS])
            wrong = Wrong("E416", f"the phase declares no fault {kind!r}", hint)
            report.add(source.argument("human_only"), wrong)
    for parameter in definition.parameters.values():
        _check_parameter(parameter, source, report)


def _check_parameter(parameter: Parameter, source: PhaseSource, report: Report) -> None:
    place = source.parameter(parameter.name)
    bounds = [bound for bound in (parameter.low, parameter.high) if bound is not None]
    if not isinstance(parameter.unit, str) or not all(isinstance(bound, int | float) for bound in bounds):
        hint = "write param('W', 1200, 1600), or param(lo=1, hi=96) without a unit"
        report.add(place, Wrong("E415", f"the bounds of {parameter.name} are not two numbers after a unit", hint))
        return
    try:
        known_unit(parameter.unit)
    except Wrong as wrong:
        report.add(place, Wrong("E415", wrong.message, wrong.hint))
    if bounds != sorted(bounds):
        above = f"{parameter.name}: the lower bound is above the upper one"
        report.add(place, Wrong("E415", above, "exchange lo and hi"))
    elif parameter.default is not None and (problem := parameter.problem(parameter.default)):
        report.add(place, Wrong("E415", f"the default of {parameter.name}: {problem}", "choose one inside the bounds"))
