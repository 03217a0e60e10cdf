"""The planted bugs are there, they still are bugs of this product, and random worlds and link faults find them."""

import shutil
import subprocess

import pytest

from tests.conftest import NOT_INSTALLED
from tests.mutants.hunt import ROOT, hunt, hunt_by_killing, hunt_on_links, patches

#: Found within these few seeds, so that every run of the suite proves that the checks see. `make mutants` hunts all.
QUICK = {
    "entries-of-a-turn-change-places": "2",
    "pulses-leave-before-the-journal": "2",
    "tokens-begin-anew-after-a-restart": "1",
}

#: The same of those on links: within the first campaign.
QUICK_ON_LINKS = ("a-write-without-an-answer-is-sent-again", "checksums-are-not-looked-at")

#: The same of those that a death of control brings out: by a few points, or by a few power cuts.
QUICK_BY_KILLING = {
    "answers-are-forgotten-at-a-start": {"points": "20", "cuts": "0", "kills": "0"},
    "the-journal-does-not-wait-for-the-disk": {"points": "0", "cuts": "20", "kills": "0"},
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


@pytest.mark.parametrize("name", QUICK_ON_LINKS)
def test_a_planted_bug_on_a_link_is_found(name: str) -> None:
    assert hunt_on_links(patches()[name], "1") is not None, "the checks are blind"


@pytest.mark.parametrize(("name", "deaths"), QUICK_BY_KILLING.items())
def test_a_planted_bug_is_found_when_control_dies(name: str, deaths: dict[str, str]) -> None:
    if deaths["cuts"] != "0" and shutil.which("cc") is None:
        pytest.skip(f"gcc {NOT_INSTALLED}: `make peers` installs it, where it can")
    assert hunt_by_killing(patches()[name], **deaths) is not None, "the proofs are blind"
