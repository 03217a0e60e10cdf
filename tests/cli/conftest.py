"""A state folder, as the tests of the gateway have one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="cellctl-") as name:
        yield Path(name)
