"""The parameters of a recipe: their values and limits, in the unit of those who use them.

The rule kept here: a recipe parameter has the unit that its phases and its target signal expect, so that nobody
converts it later; what the recipe says is converted here, once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cellctl.core.recipe import RecipeParameter
from cellctl.core.signal import Signal, Value
from cellctl.model.conditions import Known
from cellctl.model.problems import Place, Report, Wrong, did_you_mean
from cellctl.model.procedure import Uses
from cellctl.model.quantity import Amount, Bounds, fit, plain
from cellctl.model.shapes import ParameterRow
from cellctl.model.yaml_source import Document


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one user of a parameter expects: a phase's parameter, or the signal it is downloaded to."""

    who: str
    type: str
    unit: str
    low: float | None
    high: float | None
    place: Place

    @property
    def bounds(self) -> Bounds:
        low = float("-inf") if self.low is None else self.low
        return Bounds(low, float("inf") if self.high is None else self.high, self.unit)


class ParameterReader:
    """Reads the parameters of one recipe."""

    def __init__(self, document: Document, known: Known, report: Report) -> None:
        self._document = document
        self._known = known
        self._report = report

    def read(self, name: str, row: ParameterRow, uses: Uses) -> RecipeParameter:
        """One parameter; what is wrong with it is reported."""
        wanted = [*self._wanted(name, row, uses)]
        unit = wanted[0].unit if wanted else row.value.unit
        for each in wanted[1:]:
            if each.unit != unit:
                hint = "give each of them a parameter of its own"
                told = f"{wanted[0].who} takes {name!r} in {unit or 'no unit'}, {each.who} in {each.unit or 'no unit'}"
                self._report.add(each.place, Wrong("E522", told, hint))
                return RecipeParameter(name, row.value.value, unit)
        errors = self._report.errors
        value = self._value(name, row.value, wanted)
        if self._report.errors > errors and isinstance(value, bool | str):
            return RecipeParameter(name, value, unit)
        limits = self._range(row, name, "limits", unit)
        tune = self._range(row, name, "tune", unit)
        self._check_nested(name, value, limits, tune)
        self._check_inside(name, value, limits or tune, wanted)
        return RecipeParameter(
            name=name,
            value=value,
            unit=unit,
            low=limits.low if limits else None,
            high=limits.high if limits else None,
            tune_low=tune.low if tune else None,
            tune_high=tune.high if tune else None,
            per_part=row.per == "part",
            to=row.to,
            label=plain(row.label or {}),
        )

    def _wanted(self, name: str, row: ParameterRow, uses: Uses) -> Iterator[_Wanted]:
        for use in uses.values.get(name, ()):
            each = use.parameter
            yield _Wanted(f"{each.name} of {use.phase}", each.type, each.unit, each.low, each.high, use.place)
        for place in uses.flags.get(name, ()):
            yield _Wanted("when", "bool", "", None, None, place)
        for place in uses.counts.get(name, ()):
            yield _Wanted("for_each", "int", "", 1, None, place)
        target = self._target(name, row)
        if target is not None:
            place = self._document.at("parameters", name, "to")
            yield _Wanted(target.id, target.type, target.unit, target.low, target.high, place)

    def _target(self, name: str, row: ParameterRow) -> Signal | None:
        """The signal that the value is downloaded to."""
        if not row.to:
            return None
        signal = self._known.signals.get(row.to)
        place = self._document.at("parameters", name, "to")
        if signal is None:
            if row.to.partition(".")[0] not in self._known.incomplete:
                writable = [each.id for each in self._known.signals.values() if each.writable]
                wrong = Wrong("E518", f"there is no signal {row.to!r}", did_you_mean(row.to, writable))
                self._report.add(place, wrong)
        elif not signal.writable:
            hint = "choose a signal that has 'write:' in its profile"
            self._report.add(place, Wrong("E518", f"{row.to} cannot be written", hint))
        elif signal.verify is None:
            hint = "give it 'verify:', the largest difference allowed, in its profile"
            self._report.add(place, Wrong("E518", f"{row.to} is not read back after a write", hint))
        return signal

    def _value(self, name: str, amount: Amount, wanted: list[_Wanted]) -> Value:
        """The value as all its users take it; a whole number stays one if anybody needs that."""
        place = self._document.at("parameters", name, "value")
        found: Value = amount.value
        for each in sorted(wanted, key=lambda one: one.type == "int"):
            try:
                found = fit(amount, each.type, each.unit)
            except Wrong as wrong:
                code = "E517" if each.who == "when" else wrong.code
                self._report.add(place, Wrong(code, f"{name}, for {each.who}: {wrong.message}", wrong.hint))
        return found

    def _range(self, row: ParameterRow, name: str, key: str, unit: str) -> Bounds | None:
        bounds: Bounds | None = getattr(row, key)
        if bounds is None:
            return None
        place = self._document.at("parameters", name, key)
        if isinstance(row.value.value, bool | str):
            self._report.add(place, Wrong("E512", f"{row.value} is no number: it has no {key}", f"remove '{key}'"))
            return None
        if unit and not bounds.unit:
            self._report.add(place, Wrong("E131", f"the range {bounds} has no unit", f"write '{bounds} {unit}'"))
            return None
        try:
            return bounds.to(unit)
        except Wrong as wrong:
            self._report.add(place, wrong)
            return None

    def _check_nested(self, name: str, value: Value, limits: Bounds | None, tune: Bounds | None) -> None:
        """tune inside limits, the value inside both."""
        if limits and tune and not limits.contains(tune):
            hint = "tune is what the panel may change, limits what the process allows"
            self._inside(name, "tune", Wrong("E512", f"tune {tune} is not inside the limits {limits}", hint))
        for key, bounds in (("limits", limits), ("tune", tune)):
            if bounds is not None and not isinstance(value, bool | str) and not bounds.low <= value <= bounds.high:
                wrong = Wrong("E512", f"the value {value:g} is outside {key} {bounds}", f"change the value, or {key}")
                self._inside(name, "value", wrong)

    def _check_inside(self, name: str, value: Value, outer: Bounds | None, wanted: list[_Wanted]) -> None:
        """What the recipe allows lies inside what phase and signal allow."""
        if isinstance(value, bool | str):
            return
        for each in wanted:
            given = outer or Bounds(value, value, each.unit)
            if not each.bounds.contains(given):
                key = "value" if outer is None else next(k for k in ("limits", "tune") if self._has(name, k))
                shown = f"the {key} {given}" if outer else f"{value:g} {each.unit}".rstrip()
                hint = f"stay inside {each.bounds}"
                self._inside(name, key, Wrong("E510", f"{shown} is more than {each.who} allows", hint))

    def _has(self, name: str, key: str) -> bool:
        return ("parameters", name, key) in self._document.values

    def _inside(self, name: str, key: str, wrong: Wrong) -> None:
        self._report.add(self._document.at("parameters", name, key), wrong)
