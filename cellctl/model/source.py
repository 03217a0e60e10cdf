"""The text of the files of a cell, whatever their language.

The rule kept here: nothing is read that lies outside the cell's folder, is no plain file, or is too large to have
been written by a person.
"""

from pathlib import Path

from cellctl.model.problems import Place, Wrong

#: No file of a cell comes near it.
SIZE_MAX = 1 << 20


class Unreadable(Exception):  # noqa: N818 - the end of reading, already put into words
    """The file cannot be read on: `wrong` is the matter at `place`."""

    def __init__(self, place: Place, wrong: Wrong) -> None:
        super().__init__(wrong.message)
        self.place = place
        self.wrong = wrong


def read_text(file: Path, folder: Path) -> str:
    """The UTF-8 text of a file in `folder`; Unreadable with the reason."""
    return _decoded(file, _content(file, folder))


def inside(file: Path, folder: Path) -> bool:
    """Whether `file` really lies in `folder`, whatever links and dots stand in its name."""
    try:
        return file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):
        return False


def _content(file: Path, folder: Path) -> bytes:
    if not inside(file, folder):
        hint = "copy it into the folder instead of linking to it"
        raise Unreadable(Place(file), Wrong("E111", "the file lies outside the cell's folder", hint))
    try:
        if not file.is_file():
            raise Unreadable(Place(file), Wrong("E101", "there is no such file", "check its name"))
        if (size := file.stat().st_size) > SIZE_MAX:
            wrong = Wrong(
                "E104", f"the file has {size} bytes; at most {SIZE_MAX} are read", "split it into smaller files"
            )
            raise Unreadable(Place(file), wrong)
        return file.read_bytes()
    except OSError as error:
        wrong = Wrong("E101", f"the file cannot be read: {error.strerror}", "check its name and its permissions")
        raise Unreadable(Place(file), wrong) from error


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        wrong = Wrong("E102", "the file is not UTF-8 text here", "save it with the encoding UTF-8")
        raise Unreadable(Place(file, line, column), wrong) from error
