"""The part of the pytest plugin that is there only where coverage is asked for.

The rule kept here: one process reports. Under pytest-xdist each worker hands over what it collected when it ends, and
one that did not is named.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import pytest

from cellctl.testing.coverage.collected import Collected
from cellctl.testing.coverage.text import percent, report
from cellctl.testing.coverage.witness import Witness

if TYPE_CHECKING:
    from cellctl.model import CellModel
    from cellctl.testing.watch import Watcher

#: The name under which a worker of pytest-xdist hands over what it collected.
HANDED_OVER = "cellctl_cell_cov"

PAGE = "index.html"


class CoverageSession:
    """Collects while the tests run; reports when all have ended. pytest.UsageError if the pages cannot be written."""

    def __init__(self, config: pytest.Config) -> None:
        self.collected = Collected()
        self._config = config
        self._worker: dict[str, Any] | None = getattr(config, "workeroutput", None)
        self._limit: float | None = config.getoption("--cell-cov-fail-under")
        self._folder = _folder(config) if self._worker is None else None
        self._witnesses: dict[str, tuple[str, Witness]] = {}
        self._lost: list[str] = []

    def watchers(self, model: "CellModel", test: str) -> "Sequence[Watcher]":
        """Who looks on in a test that begins."""
        self.collected.ran(model, test)
        witness = Witness(model)
        self._witnesses[test] = model.equipment.id, witness
        return [witness]

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """The test has ended, with all its fixtures."""
        if nodeid in self._witnesses:
            cell, witness = self._witnesses.pop(nodeid)
            self.collected.add(cell, nodeid, witness.seen, witness.broken)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker of pytest-xdist has ended."""
        told = getattr(node, "workeroutput", {}).get(HANDED_OVER)
        if told is None:
            self._lost.append(node.gateway.id)
        else:
            self.collected.merge(json.loads(told))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand over or write what was collected; a run that is under the limit has failed."""
        if self._worker is not None:
            self._worker[HANDED_OVER] = json.dumps(self.collected.plain())
            return
        if self._folder is not None:
            from cellctl.testing.coverage.page import page

            (self._folder / PAGE).write_text(page(self.collected), encoding="utf-8")
        if exitstatus == pytest.ExitCode.OK and self._under:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell it."""
        terminalreporter.section("cell coverage")
        for line in report(self.collected, get_terminal_size().columns):
            terminalreporter.line(line)
        for worker in self._lost:
            terminalreporter.line(f"The worker {worker} died: what its tests exercised is missing here.", red=True)
        if self._folder is not None:
            terminalreporter.line(f"Written to {Path(self._config.getoption('--cell-cov-html'), PAGE)}")
        if self._limit is not None:
            told = f"{percent(self.collected.percent)} of what the cells have was exercised"
            verdict = f"FAIL: {told}; {self._limit:g} % is required." if self._under else f"{told.capitalize()}."
            terminalreporter.line(verdict, red=self._under, green=not self._under)

    @property
    def _under(self) -> bool:
        return self._limit is not None and self.collected.percent < self._limit


def _folder(config: pytest.Config) -> Path | None:
    named = config.getoption("--cell-cov-html")
    if named is None:
        return None
    folder = Path(config.invocation_params.dir, named)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--cell-cov-html: {folder} cannot be made: {error.strerror}") from None
    return folder
