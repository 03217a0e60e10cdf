"""What must not get out, and how a backup is put back."""

from pathlib import Path

from tests.cli.terminal import Result, run

SECRET = b"canary-of-a-secret"
KEY = b"-----BEGIN PRIVATE KEY-----\ncanary-of-a-key\n-----END PRIVATE KEY-----\n"


def restored(file: Path, tmp_path: Path, *more: str) -> Result:
    return run("restore", str(file), "--cell", str(tmp_path / "new"), "--state", str(tmp_path / "var"), *more)
