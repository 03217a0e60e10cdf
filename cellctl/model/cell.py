"""cell.yaml with its profiles, phases and recipes: put together into one model.

The rule kept here: each part is checked against those before it (devices, stations, phases, conditions, recipes), and
a part that is wrong is left out, so that the others are checked all the same.
"""

import zoneinfo
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cellctl.core.condition import Condition
from cellctl.core.equipment import AlarmSpec, Equipment, Interlock, Station
from cellctl.core.packml import DEFAULT_MODES, STATE_COMPLETE, Mode, ModeRule, State
from cellctl.model.addresses import check_addresses
from cellctl.model.cell_model import CellModel, Energy, Oee
from cellctl.model.devices import DeviceReader, Devices, check_profile
from cellctl.model.models import check_models
from cellctl.model.phases import Phases, read_phases
from cellctl.model.problems import Report, Wrong, did_you_mean
from cellctl.model.profile import Profiles
from cellctl.model.quantity import fit, plain
from cellctl.model.recipe import RecipeReader
from cellctl.model.shape import Shaped, validate
from cellctl.model.shapes import CellFile
from cellctl.model.yaml_source import read

_STATES = {state.name.lower(): state for state in State}
_ACTING = {state.name.lower(): state for state in STATE_COMPLETE}
_MODES = {mode.name.lower(): mode for mode in Mode}


def read_cell(folder: Path, report: Report) -> CellModel | None:
    """The cell in `folder`; what is wrong with it is in `report`. None if cell.yaml itself cannot be used."""
    profiles = Profiles(folder, report)
    profiles.read_own()
    document = read(folder / "cell.yaml", folder, report)
    shaped = validate(document, CellFile, report) if document else None
    if shaped is None:
        return None
    check_addresses(shaped, report)
    devices = DeviceReader(shaped, profiles, report).read()
    used = {row.profile for row in shaped.shape.devices.values()}
    for name in profiles.own - used:
        if (profile := profiles.get(name)) is not None:
            check_profile(profile, report)  # somebody is about to use it
    check_models(folder, filter(None, map(profiles.get, sorted(profiles.own | used))), report)
    return _Assembly(folder, shaped, devices, report).model()


class _Assembly:
    def __init__(self, folder: Path, cell: Shaped[CellFile], devices: Devices, report: Report) -> None:
        self._folder = folder
        self._document = cell.document
        self._file = cell.shape
        self._left_out = cell.left_out
        self._devices = devices
        self._known = devices.known
        self._report = report
        self._texts: dict[str, Mapping[str, str]] = {"cell.name": cell.shape.cell.name}

    def model(self) -> CellModel:
        head = self._file.cell
        stations = self._stations()
        self._known = replace(self._known, stations=stations)
        phases = read_phases(self._folder, self._known, self._report)
        recipes = RecipeReader(self._folder, self._known, phases, self._report).read(head.id)
        equipment = Equipment(
            id=head.id,
            name=plain(head.name),
            signals=self._devices.signals,
            commands=self._devices.commands,
            stations=stations,
            interlocks=self._interlocks(),
            alarms=self._alarms(),
            states=self._states(phases),
            phases=phases.definitions,
            recipes=recipes.masters,
            modes=self._modes(),
            devices=self._devices.names,
        )
        self._timezone(head.timezone)
        return CellModel(
            folder=self._folder,
            equipment=equipment,
            devices=self._devices.devices,
            profiles={name: row.profile for name, row in self._file.devices.items()},
            models=self._devices.models,
            secrets=self._devices.secrets,
            phase_files=phases.files,
            texts=self._texts | self._device_names() | recipes.words,
            timezone=head.timezone,
            oee=self._oee(),
            energy=self._energy(),
            keep_ns=self._file.journal.keep if self._file.journal else None,
        )

    def _stations(self) -> dict[str, Station]:
        found = {}
        for name, row in self._file.stations.items():
            for number, device in enumerate(row.uses):
                if device not in self._devices.names and device not in self._devices.incomplete:
                    wrong = Wrong("E204", f"there is no device {device!r}", did_you_mean(device, self._devices.names))
                    self._add(wrong, "stations", name, "uses", number)
            self._texts[f"station.{name}.text"] = row.text or {"": name}
            found[name] = Station(name, frozenset(row.uses), plain(row.text or {}) or name)
        wrong_rows = {row for section, row in self._left_out if section == "stations"}
        return found | {name: Station(name, frozenset(self._devices.names)) for name in wrong_rows}

    def _interlocks(self) -> tuple[Interlock, ...]:
        found = []
        for name, row in self._file.interlocks.items():
            self._keep("interlock", name, text=row.text, do=row.do)
            need = self._condition(row.need, "interlocks", name, "need")
            if need is not None:
                found.append(Interlock(name, need, row.reaction, plain(row.text), plain(row.do or {})))
        return tuple(found)

    def _alarms(self) -> tuple[AlarmSpec, ...]:
        found = []
        for name, row in self._file.alarms.items():
            self._keep("alarm", name, text=row.text, do=row.do)
            when = self._condition(row.when, "alarms", name, "when")
            suppress = None if row.suppress is None else self._condition(row.suppress, "alarms", name, "suppress")
            text, do = plain(row.text), plain(row.do)
            languages = sorted({*row.text, *row.do} - {""})
            words = {each: (row.text.get(each, text), row.do.get(each, do)) for each in languages}
            if when is not None:
                found.append(AlarmSpec(name, when, row.priority, text, do, row.shelve, suppress, words))
        return tuple(found)

    def _states(self, phases: Phases) -> dict[State, tuple[str, ...]]:
        found = {}
        for name, listed in self._file.states.items():
            if name not in _ACTING:
                hint = did_you_mean(name, _ACTING)
                wrong = Wrong("E206", f"{name!r} is not a state in which the machine acts", hint)
                self._report.add(self._document.key("states", name), wrong)
                continue
            for number, phase in enumerate(listed):
                self._state_phase(phase, phases, name, number)
            found[_ACTING[name]] = tuple(listed)
        return found

    def _state_phase(self, phase: str, phases: Phases, state: str, number: int) -> None:
        at = ("states", state, number)
        definition = phases.definitions.get(phase)
        if definition is None:
            if phases.complete:
                hint = did_you_mean(phase, phases.definitions, "write it as 'async def' in phases/")
                self._add(Wrong("E205", f"there is no phase {phase!r}", hint), *at)
            return
        needed = [name for name, parameter in definition.parameters.items() if parameter.default is None]
        if needed:
            hint = f"give {needed[0]!r} a default in the phase"
            self._add(Wrong("E207", f"the phase {phase!r} needs values that a state has not", hint), *at)
        if definition.station is not None:
            hint = "states work on no part: use a phase without a station"
            self._add(Wrong("E207", f"the phase {phase!r} claims the station {definition.station!r}", hint), *at)

    def _modes(self) -> Mapping[Mode, ModeRule]:
        found = dict(DEFAULT_MODES)
        for name, row in self._file.modes.items():
            if name not in _MODES:
                wrong = Wrong("E208", f"there is no mode {name!r}", did_you_mean(name, _MODES))
                self._report.add(self._document.key("modes", name), wrong)
                continue
            for number, state in enumerate(row.disabled):
                if state not in _STATES:
                    wrong = Wrong("E208", f"there is no state {state!r}", did_you_mean(state, _STATES))
                    self._add(wrong, "modes", name, "disabled", number)
            try:
                found[_MODES[name]] = ModeRule(frozenset(_STATES[each] for each in row.disabled if each in _STATES))
            except ValueError as error:
                hint = "Stopped, Idle, Execute and Aborted always exist"
                self._add(Wrong("E208", str(error), hint), "modes", name, "disabled")
        return found

    def _oee(self) -> Oee | None:
        row = self._file.oee
        return None if row is None else Oee(row.short_stop, tuple(row.reasons))

    def _energy(self) -> Energy | None:
        row = self._file.energy
        if row is None:
            return None
        signal = self._devices.signals.get(row.meter)
        if signal is None:
            if row.meter.partition(".")[0] not in self._devices.incomplete:
                hint = did_you_mean(row.meter, self._devices.signals)
                self._add(Wrong("E209", f"there is no signal {row.meter!r}", hint), "energy", "meter")
        elif signal.type not in ("int", "float"):
            self._add(Wrong("E209", f"{row.meter} counts nothing", "choose a number, in kWh"), "energy", "meter")
        try:
            emission = fit(row.co2, "float", "kgCO2e/kWh") if row.co2 else 0.0
        except Wrong as wrong:
            self._add(wrong, "energy", "co2")
            return None
        return Energy(row.meter, float(emission), row.source)

    def _timezone(self, name: str) -> None:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            known = zoneinfo.available_timezones()
            if known:
                hint = did_you_mean(name, sorted(known), "write it as 'Europe/London'")
                self._add(Wrong("E213", f"there is no time zone {name!r}", hint), "cell", "timezone")

    def _device_names(self) -> dict[str, Mapping[str, str]]:
        return {f"device.{name}.name": row.name for name, row in self._file.devices.items() if row.name}

    def _condition(self, text: str, *path: str) -> Condition | None:
        return self._known.condition(text, self._document.at(*path), self._report)

    def _keep(self, kind: str, name: str, **words: Mapping[str, str] | None) -> None:
        self._texts.update({f"{kind}.{name}.{key}": each for key, each in words.items() if each})

    def _add(self, wrong: Wrong, *path: str | int) -> None:
        self._report.add(self._document.at(*path), wrong)
