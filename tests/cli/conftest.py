"""A state folder, as the tests of the gateway have one, and the devices of the bundled cell."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A state folder whose path is short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="cellctl-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def places() -> Iterator[Mapping[str, str]]:
    """Where the simulated devices of the bundled cell are."""
    argv = [sys.executable, "-m", "cellctl.cli", "sim", "battery-module", "--ports", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        try:
            yield {device["id"]: device["at"] for device in told["devices"]}
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
