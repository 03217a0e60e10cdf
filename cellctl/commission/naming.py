"""Names of signals, from what others call them.

The rule kept here: a name says as little as tells it from its neighbours: the last word of its path, and more of the
path only where two would be the same.
"""

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: What Latin letters without a base letter become.
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "ł": "l", "Ł": "L", "°": "deg", "µ": "u"}
)


def word(text: str) -> str:
    """`text` as a name: small letters, digits and ``_``."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", plain).lower()).strip("_")
    if not name:
        return "signal"
    if name[0].isdigit():
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def names_of(paths: Sequence[Sequence[str]], taken: Collection[str] = ()) -> list[str]:
    """A name for each path, none of them twice and none that is taken."""
    lengths = [1] * len(paths)
    while True:
        names = [_joined(path, length) for path, length in zip(paths, lengths, strict=True)]
        counts = Counter(names)
        longer = [at for at, name in enumerate(names) if counts[name] > 1 and lengths[at] < len(paths[at])]
        if not longer:
            return _numbered(names, taken)
        for at in longer:
            lengths[at] += 1


def _joined(path: Sequence[str], length: int) -> str:
    return word("_".join(path[-length:]))


def _numbered(names: Sequence[str], taken: Collection[str]) -> list[str]:
    used, found = set(taken), []
    for name in names:
        number, unique = 2, name
        while unique in used:
            unique, number = f"{name.rstrip('_')}_{number}", number + 1
        used.add(unique)
        found.append(unique)
    return found
