"""The pytest plugin: a whole cell as fixtures, in virtual time.

The rules kept here: what is not a test of a cell is left alone, whatever the project's own settings of pytest-asyncio
are; and nothing heavy is imported before the first test of a cell begins. A test is one of a cell if it is marked
`@pytest.mark.cell(...)`, or asks for one of the fixtures below.
"""

import asyncio
import inspect
from argparse import ArgumentTypeError
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from cellctl.testing.bench import Setup
    from cellctl.testing.cell import BenchJournal, CellOnBench
    from cellctl.testing.clock import BenchClock
    from cellctl.testing.coverage.session import CoverageSession
    from cellctl.testing.faults import BenchFaults
    from cellctl.testing.operator import Operator
    from cellctl.testing.traffic.field import Field
    from cellctl.testing.truth import Truth
    from cellctl.testing.watch import Watcher

FIXTURES = ("cell", "clock", "operator", "world", "faults", "field", "journal")

#: What the marker takes besides the path, with its default and its meaning.
MARK_KEYS: Mapping[str, tuple[object, str]] = {
    "recipe": (None, "the recipe that is loaded when the test begins"),
    "state": ("Stopped", "the state in which it begins: Stopped, Idle or Execute"),
    "seed": (0, "the seed of all that is random"),
    "wire": (False, "whether the drivers speak their real protocols, over a network in memory"),
    "replay": ({}, "recordings, beside the test, in the place of devices: {'laser': 'laser.traffic'}"),
}

#: What the marker means without them.
MARK = (
    "a test of the cell in that folder (or of that name, if it is bundled); without a path the one that the test lies"
    " in, or that of --cell"
)

_TESTED: pytest.StashKey["CellOnBench"] = pytest.StashKey()
_COVERAGE: pytest.StashKey["CoverageSession"] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("cellctl", "cells in virtual time")
    group.addoption("--cell", metavar="PATH", help="the cell of tests that name none")
    group.addoption("--cell-seed", metavar="N", type=int, help="the seed of every cell, whatever its test says")
    group.addoption("--cell-cov", action="store_true", help="tell what of the cells the tests have exercised")
    group.addoption("--cell-cov-html", metavar="DIR", help="the same as a page in that folder")
    group.addoption(
        "--cell-cov-fail-under",
        metavar="PERCENT",
        type=_percent,
        help="fail if the tests have exercised less than so much of the cells",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means; begin to collect what the cells are exercised in, if that is asked for."""
    keys = ", ".join(f"{key}={default!r}" for key, (default, _) in MARK_KEYS.items())
    config.addinivalue_line("markers", f"cell(path=None, *, {keys}): {MARK}.")
    asked = any(config.getoption(f"--cell-cov{of}") not in (None, False) for of in ("", "-html", "-fail-under"))
    if asked and not config.getoption("--collect-only"):
        from cellctl.testing.coverage.session import CoverageSession

        config.stash[_COVERAGE] = CoverageSession(config)
        config.pluginmanager.register(config.stash[_COVERAGE])


def _percent(text: str) -> float:
    try:
        if 0 <= (value := float(text)) <= 100:
            return value
    except ValueError:
        pass
    raise ArgumentTypeError(f"{text!r} is no share in percent, 0 to 100")


# --- tests of cells run on a loop of their own, in virtual time ---------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Mark an asynchronous test of a cell for pytest-asyncio, also in its strict mode, with a loop of its own."""
    if inspect.iscoroutinefunction(obj) and collector.funcnamefilter(name) and _asks_for_cell(collector, obj):  # type: ignore[attr-defined]
        marks = [mark for mark in getattr(obj, "pytestmark", []) if mark.name != "asyncio"]
        obj.pytestmark = [*marks, pytest.mark.asyncio(loop_scope="function").mark]  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Generator[None, Mapping[str, Callable[[], asyncio.AbstractEventLoop]] | None, Mapping[str, Any]]:
    """Virtual time for the tests of cells; for all others whatever the project has chosen, or asyncio's own."""
    chosen = yield
    if _is_of_cell(item):
        return {"virtual": _virtual_loop}
    return chosen or {"asyncio": asyncio.new_event_loop}


def _virtual_loop() -> asyncio.AbstractEventLoop:
    from cellctl.testing.virtual import VirtualLoop

    return VirtualLoop()


def _asks_for_cell(collector: pytest.Collector, function: Callable[..., object]) -> bool:
    marks = [mark.name for mark in getattr(function, "pytestmark", [])]
    if "cell" in marks or collector.get_closest_marker("cell") is not None:
        return True
    return any(_is_ours(name, collector) for name in inspect.signature(function).parameters if name in FIXTURES)


def _is_of_cell(item: pytest.Item) -> bool:
    if item.get_closest_marker("cell") is not None:
        return True
    return any(_is_ours(name, item) for name in getattr(item, "fixturenames", ()) if name in FIXTURES)


def _is_ours(name: str, node: pytest.Item | pytest.Collector) -> bool:
    """Whether the fixture of that name is ours there: a project may have one of its own."""
    found = node.session._fixturemanager.getfixturedefs(name, node)  # noqa: SLF001 - there is no public way to ask
    return found is not None and found[-1:] != () and found[-1].func.__module__ == __name__


# --- fixtures -----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="function")
async def cell(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator["CellOnBench"]:
    """A running cell on simulated devices, in virtual time."""
    from cellctl.testing.cell import on_bench
    from cellctl.testing.virtual import VirtualLoop, wall_clock

    wanted = _wanted(request)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "a test of a cell has to be an 'async def'"
    with ExitStack() as stack:
        if wanted["wire"]:
            stack.enter_context(wall_clock(loop))
        setup = _setup(request, wanted, tmp_path / "state")
        async with on_bench(setup, _watchers(request, setup)) as tested:
            request.node.stash[_TESTED] = tested
            if wanted["recipe"]:
                await tested.change_over(wanted["recipe"])
            await tested.bring(wanted["state"])
            yield tested


@pytest.fixture
def clock(cell: "CellOnBench") -> "BenchClock":
    """Virtual time: `await clock.advance("40 s")`, `await clock.until("Held", limit="20 s")`."""
    return cell.clock


@pytest.fixture
def operator(cell: "CellOnBench") -> "Operator":
    """The person at the panel: press, answer, badge, scan, confirm_steps."""
    return cell.operator


@pytest.fixture
def world(cell: "CellOnBench") -> "Truth":
    """The ground truth: where every part really is, and what was done to it."""
    return cell.world


@pytest.fixture
def faults(cell: "CellOnBench") -> "BenchFaults":
    """What goes wrong on purpose: `faults.no_reply("laser", for_="30 s")`."""
    return cell.faults


@pytest.fixture
def field(cell: "CellOnBench", request: pytest.FixtureRequest) -> "Iterator[Field]":
    """What goes over the wires: `field.record("laser")`, `await field.replay("laser", "laser.traffic")`."""
    cell.field.folder = request.path.parent
    yield cell.field
    cell.field.end()


@pytest.fixture
def journal(cell: "CellOnBench") -> "BenchJournal":
    """What the cell has written down."""
    return cell.journal


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the marker says; pytest.UsageError if it says something that it cannot."""
    from cellctl.testing.names import UnknownName, known

    wanted: dict[str, Any] = {"path": None} | {key: default for key, (default, _) in MARK_KEYS.items()}
    for mark in reversed(list(request.node.iter_markers("cell"))):
        if len(mark.args) > 1:
            raise pytest.UsageError(f"{request.node.nodeid}: the marker cell takes one path")
        try:
            wanted |= {
                known("keyword of the marker cell", key, ("path", *MARK_KEYS)): value
                for key, value in mark.kwargs.items()
            }
        except UnknownName as error:
            raise pytest.UsageError(f"{request.node.nodeid}: {error}") from None
        wanted |= {"path": mark.args[0]} if mark.args else {}
    if (seed := request.config.getoption("--cell-seed")) is not None:
        wanted["seed"] = seed
    return wanted


def _setup(request: pytest.FixtureRequest, wanted: Mapping[str, Any], folder: Path) -> "Setup":
    from cellctl.testing.bench import Setup
    from cellctl.testing.cells import CellInvalid, simulated_model

    try:
        model = simulated_model(_path(request, wanted["path"]), wanted["replay"])
    except CellInvalid as invalid:
        pytest.fail(str(invalid), pytrace=False)
    folder.mkdir()
    tapped = bool(wanted["wire"]) and "field" in request.fixturenames
    replays = {device: request.path.parent / file for device, file in wanted["replay"].items()}
    return Setup(model, folder, "wire" if wanted["wire"] else "direct", wanted["seed"], tapped, replays)


def _watchers(request: pytest.FixtureRequest, setup: "Setup") -> "Sequence[Watcher]":
    coverage = request.config.stash.get(_COVERAGE, None)
    return () if coverage is None else coverage.watchers(setup.model, request.node.nodeid)


def _path(request: pytest.FixtureRequest, named: str | None) -> Path | str:
    """The cell that is meant: a path from here, from the root of the tests or from the test's folder, or a name."""
    named = named or request.config.getoption("--cell")
    if named is None:
        return request.path.parent
    for folder in (request.config.invocation_params.dir, request.config.rootpath, request.path.parent):
        if (folder / named).exists():
            return folder / named
    return str(named)


# --- what a test that fails tells -----------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what its cell was at, and the line that repeats it."""
    report = yield
    tested = item.stash.get(_TESTED, None)
    if report.failed and tested is not None and call.when == "call":
        from cellctl.testing.report import product

        seed = tested.bench.setup.seed
        repeat = f"pytest {item.nodeid!r} --cell-seed {seed}"
        head = f"{product()}, seed {seed}; to repeat it: {repeat}"
        report.sections.append(("cell", f"{head}\n{tested.bench.told(entries=20)}"))
    return report
