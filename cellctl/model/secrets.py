"""Secrets: values that cell.yaml names and the machine keeps.

The rule kept here: a secret is read from the credentials of systemd, or from a file that only its owner can read; it
is never printed. Checking a cell needs none: a stand-in takes its place.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from cellctl.model.problems import Wrong

#: Where systemd puts the credentials of a service.
CREDENTIALS = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@dataclass(frozen=True, slots=True)
class Secret:
    """``!secret name``: a value that is not in the file."""

    name: str


class SecretText(str):
    """The text of a secret; in any listing it appears by its name only."""

    name: str

    def __new__(cls, text: str, name: str = "") -> "SecretText":
        """`text` is the secret `name`, or its name alone, which stands in for it."""
        made = super().__new__(cls, text)
        made.name = name or text
        return made

    def __repr__(self) -> str:
        return f"!secret {self.name}"


def stand_in(secret: Secret) -> SecretText:
    """What takes the place of a secret where none is needed; Wrong if its name could be a path."""
    if not _NAME.match(secret.name):
        raise Wrong("E210", f"{secret.name!r} is not the name of a secret", "write '!secret plc_password'")
    return SecretText(secret.name)


def revealed(name: str, state: Path) -> SecretText:
    """The secret, from the credentials of the service or ``secrets/`` of the state folder; Wrong if there is none."""
    folder = os.environ.get(CREDENTIALS)
    own = state / "secrets" / name
    try:
        if folder and (Path(folder) / name).is_file():
            return SecretText((Path(folder) / name).read_text(encoding="utf-8").rstrip("\r\n"), name)
        if not own.is_file():
            hint = f"give it to the service as a credential, or write it to {own} with mode 0600"
            raise Wrong("E211", f"the secret {name!r} is not on this machine", hint)
        if stat.S_IMODE(own.stat().st_mode) & 0o077:
            raise Wrong("E212", f"others can read the secret {name!r}", f"chmod 600 {own}")
        return SecretText(own.read_text(encoding="utf-8").rstrip("\r\n"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong("E211", f"the secret {name!r} cannot be read: {error}", f"look at {own}") from error
