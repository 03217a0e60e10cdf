"""The quality files of the drivers say what is so: every rule is judged, and what is called done has its test."""

import ast
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = runpy.run_path(str(ROOT / "docs" / "driver_quality.py"))
FOUND = PAGE["drivers"]()


def test_every_driver_has_a_quality_file() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]["cellctl.drivers"]
    assert set(FOUND) == set(points)


@pytest.mark.parametrize("driver", FOUND)
def test_every_rule_is_judged_once(driver: str) -> None:
    assert list(FOUND[driver]) == list(PAGE["RULES"])
    for rule, told in FOUND[driver].items():
        assert len(told) == 1, rule
        assert set(told) <= {"done", "exempt", "open"}, rule
        assert all(told.values()), rule


@pytest.mark.parametrize("driver", FOUND)
def test_what_is_done_has_its_test(driver: str) -> None:
    for rule, told in FOUND[driver].items():
        if "done" in told:
            name, _, test = told["done"].partition("::")
            tree = ast.parse((ROOT / name).read_text("utf-8"))
            functions = [
                each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            assert test in functions, f"{driver}, {rule}: there is no {told['done']}"
