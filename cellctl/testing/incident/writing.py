"""A test from an incident: the file that `cellctl incident test` writes.

The rule kept here: the test fails now, with the files as they are, or it is not written.
"""

import os
import re
from pathlib import Path

from cellctl.testing.incident.happenings import Happening
from cellctl.testing.incident.incident import Incident

_TEST = '''"""{title}, {at} into the recording {file}.

It fails for as long as that happens, and shows what mends it. Written by `cellctl incident test`.
"""

from pathlib import Path

from cellctl.testing import Incident

HERE = Path(__file__).parent


def test_{name}_is_gone() -> None:
    incident = Incident.read(HERE / "{file}")
    incident.assert_gone("{kind}", "{id}", at="{at}", cell={cell})
'''


def test_of(incident: Incident, what: Happening, recording: Path, cell: Path | str, target: Path) -> str:
    """The text of a test at `target` that fails when `what` happens again with the files of `cell`."""
    return _TEST.format(
        title=_plain(what.text),
        file=_plain(_from(target.parent, recording)),
        at=incident.at(what.time_ns),
        name=re.sub(r"[^a-z0-9]+", "_", f"{what.kind} {what.id}".lower()).strip("_"),
        kind=_plain(what.kind),
        id=_plain(what.id),
        cell=f'HERE / "{_plain(_from(target.parent, Path(cell)))}"' if Path(cell).exists() else f'"{cell}"',
    )


def _from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _plain(text: str) -> str:
    """Text that stands in Python's quotes as it is."""
    return text.replace("\\", "/").replace('"', "'").replace("\n", " ")
