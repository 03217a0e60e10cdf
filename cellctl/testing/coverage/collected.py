"""What was collected: for every cell its items, and for each the tests that exercised it.

The rule kept here: it is plain data that merges with itself in any order, so it does not matter how many processes
have run the tests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cellctl.model import CellModel
from cellctl.testing.coverage.items import SECTIONS, Item, items


@dataclass(slots=True)
class CellCoverage:
    """One cell: `tests` has every item there is, with the tests that exercised it; `faults` the kinds of faults that
    were let happen, with their tests."""

    id: str
    name: str
    tests: dict[Item, set[str]] = field(default_factory=dict)
    faults: dict[str, set[str]] = field(default_factory=dict)
    ran: set[str] = field(default_factory=set)

    def sections(self) -> Iterable[tuple[str, dict[Item, set[str]]]]:
        """Those that this cell has, in their order, with their items."""
        for section in SECTIONS:
            if found := {item: tests for item, tests in self.tests.items() if item.section == section}:
                yield section, found


class Collected:
    """All cells that were tested, by their ids."""

    def __init__(self) -> None:
        self.cells: dict[str, CellCoverage] = {}

    def ran(self, model: CellModel, test: str) -> None:
        """A test of the cell began: all that the cell has is to be covered from now on."""
        equipment = model.equipment
        cell = self._cell(equipment.id, equipment.name)
        cell.ran.add(test)
        for item in items(equipment):
            cell.tests.setdefault(item, set())

    def add(self, cell: str, test: str, seen: Iterable[Item], faults: Iterable[str]) -> None:
        """What a test exercised. What the cell's files do not ask for does not count."""
        here = self.cells[cell]
        for item in seen:
            if item in here.tests:
                here.tests[item].add(test)
        for kind in faults:
            here.faults.setdefault(kind, set()).add(test)

    @property
    def count(self) -> tuple[int, int]:
        """So many items were exercised, of so many, over all cells."""
        return counted(tests for cell in self.cells.values() for tests in cell.tests.values())

    @property
    def percent(self) -> float:
        """The share of items that were exercised, 0 to 100; 0 if no cell was tested."""
        return share(*self.count)

    def plain(self) -> list[Any]:
        """The same as JSON; `merge` takes it."""
        return [
            [
                cell.id,
                cell.name,
                [[item.section, item.group, item.name, sorted(tests)] for item, tests in cell.tests.items()],
                {kind: sorted(tests) for kind, tests in cell.faults.items()},
                sorted(cell.ran),
            ]
            for cell in self.cells.values()
        ]

    def merge(self, plain: Iterable[Any]) -> None:
        """Take in what another process collected."""
        for id_, name, tests, faults, ran in plain:
            cell = self._cell(id_, name)
            cell.ran.update(ran)
            for section, group, item, by in tests:
                cell.tests.setdefault(Item(section, group, item), set()).update(by)
            for kind, by in faults.items():
                cell.faults.setdefault(kind, set()).update(by)

    def _cell(self, id_: str, name: str) -> CellCoverage:
        return self.cells.setdefault(id_, CellCoverage(id_, name))


def counted(tests: Iterable[set[str]]) -> tuple[int, int]:
    """Of so many items how many have a test, and how many there are."""
    each = [bool(one) for one in tests]
    return sum(each), len(each)


def share(seen: int, total: int) -> float:
    """In percent; 0 of nothing."""
    return 100.0 * seen / total if total else 0.0


def missing(tests: Mapping[Item, set[str]]) -> list[str]:
    """What no test exercised, by what it belongs to: ``module-8s: hipot, unload_module``."""
    groups: dict[str, list[tuple[str, bool]]] = {}
    for item, by in tests.items():
        groups.setdefault(item.group, []).append((item.name, bool(by)))
    told = []
    for group, names in groups.items():
        left = [name for name, exercised in names if not exercised]
        whole = group and len(left) == len(names) > 1
        if left:
            listed = "all" if whole else ", ".join(left)
            told.append(f"{group}: {listed}" if group else listed)
    return told
