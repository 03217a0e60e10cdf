"""Pages of text and lines as a PDF file, with nothing but the standard library.

The rule kept here: what every reader of PDF has is enough: two of its own fonts (Helvetica) and their signs, those of
Windows-1252. A sign that is not among them becomes its base letter, or "?", and that is known afterwards.
"""

import unicodedata
import zlib
from datetime import datetime

#: A4 across, in points.
WIDTH, HEIGHT = 842.0, 595.0

_ENCODING = "cp1252"

#: The widths of Helvetica from the space on, in thousandths of its size (Adobe's metrics of the core fonts).
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
#: The widest of what is not in the table; no text becomes longer than it is taken for.
_OTHER = 1000

#: No accent is wider: it is what makes an i wider.
_ACCENT = 333

_CONTROLS = bytes(range(32))

#: Bold letters are wider by no more than this.
_BOLD = 1.12


class Pdf:
    """A document that is written page by page; x from the left, y from the top."""

    def __init__(self, title: str, at: datetime) -> None:
        self._title, self._at = title, at
        self._pages: list[list[str]] = []
        self._page = 0
        self.replaced = False

    def page(self) -> None:
        """Begin a page."""
        self._pages.append([])
        self._page = len(self._pages) - 1

    @property
    def pages(self) -> int:
        """How many there are."""
        return len(self._pages)

    def turn(self, page: int) -> None:
        """Go on on an earlier page; they count from 0."""
        self._page = page

    def text(self, x: float, y: float, text: str, *, size: float = 9, bold: bool = False) -> None:
        """Write a line of text; `y` is its base line."""
        font = "F2" if bold else "F1"
        place = f"1 0 0 1 {x:.1f} {HEIGHT - y:.1f} Tm"
        shown = [_shown(sign) for sign in text]
        self.replaced = self.replaced or any(not is_same for _, is_same in shown)
        signs = b"".join(each for each, _ in shown)
        self._pages[self._page].append(f"BT /{font} {size:g} Tf {place} <{signs.hex()}> Tj ET")

    def rule(self, x: float, y: float, to_x: float) -> None:
        """Draw a line across."""
        self._pages[self._page].append(f"0.5 w {x:.1f} {HEIGHT - y:.1f} m {to_x:.1f} {HEIGHT - y:.1f} l S")

    def content(self) -> bytes:
        """The file."""
        kids = " ".join(f"{6 + 2 * at} 0 R" for at in range(len(self._pages)))
        fonts = "<< /Font << /F1 3 0 R /F2 4 0 R >> >>"
        objects = [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] /MediaBox [0 0 {WIDTH:g} {HEIGHT:g}] "
            f"/Resources {fonts} >>".encode(),
            *(_font(name) for name in ("Helvetica", "Helvetica-Bold")),
            f"<< /Title <{self._utf16(self._title)}> /Producer (cellctl) "
            f"/CreationDate (D:{self._at:%Y%m%d%H%M%S}Z) >>".encode(),
        ]
        for at, page in enumerate(self._pages):
            objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {7 + 2 * at} 0 R >>".encode())
            stream = zlib.compress("\n".join(page).encode("ascii"))
            objects.append(
                f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode() + stream + b"\nendstream"
            )
        return _file(objects)

    def _utf16(self, text: str) -> str:
        return (b"\xfe\xff" + text.encode("utf-16-be")).hex()


def width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide `text` is at most, as it is written."""
    total = sum(_wide(sign) for each in text for sign in _shown(each)[0].decode(_ENCODING))
    return total * size / 1000 * (_BOLD if bold else 1)


def _shown(sign: str) -> tuple[bytes, bool]:
    """What is written for a sign, and whether it is the sign itself."""
    try:
        return sign.encode(_ENCODING).translate(None, _CONTROLS), True
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").translate(None, _CONTROLS)
        return plain or (b"" if unicodedata.combining(sign) else b"?"), False


def _wide(sign: str) -> int:
    """A letter with an accent is as wide as its base letter, or as the accent."""
    parts = unicodedata.normalize("NFD", sign)
    at = ord(parts[0]) - 32
    plain = _WIDTHS[at] if 0 <= at < len(_WIDTHS) else _OTHER
    return max(plain, _ACCENT) if len(parts) > 1 else plain


def wrapped(text: str, size: float, room: float) -> list[str]:
    """`text` in lines that fit into `room`, between words where that is possible."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if lines[-1] and width(lines[-1] + sign, size) > room:
                lines.append("")
            lines[-1] += sign
    return lines


def _font(name: str) -> bytes:
    return f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode()


def _file(objects: list[bytes]) -> bytes:
    """The objects, numbered from 1 (the fifth tells about the document), with the table that says where each begins."""
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    begin = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{begin}\n%%EOF\n".encode()
    return bytes(out)
