"""The planted bugs are there, they still are bugs of this product, and random worlds find them."""

import subprocess

import pytest

from tests.mutants.hunt import ROOT, hunt, patches

#: Found within these few seeds, so that every run of the suite proves that the checks see. `make mutants` hunts all.
QUICK = {
    "entries-of-a-turn-change-places": "2",
    "pulses-leave-before-the-journal": "2",
    "tokens-begin-anew-after-a-restart": "1",
}


def test_there_are_twenty_at_least() -> None:
    assert len(patches()) >= 20


@pytest.mark.parametrize("name", patches())
def test_a_patch_applies(name: str) -> None:
    told = subprocess.run(
        ["git", "apply", "--check", str(patches()[name])], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(("name", "seeds"), QUICK.items())
def test_a_planted_bug_is_found(name: str, seeds: str) -> None:
    found = hunt(patches()[name], seeds, "direct")
    assert found is not None, "the checks are blind"
