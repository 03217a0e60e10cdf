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


#: No path that a person can read has more steps; of longer ones the last count.
_STEPS_MAX = 32


def word(text: str) -> str:
    """`text` as a name: small letters, digits and ``_``."""
    return _named(_plain(text))


def _plain(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", _HUMP.sub("_", plain).lower()).strip("_")


def _named(name: str) -> str:
    if not name:
        return "signal"
    if name[0].isdigit():
        name = f"n_{name}"
    return f"{name}_" if keyword.iskeyword(name) else name


def names_of(paths: Sequence[Sequence[str]], taken: Collection[str] = ()) -> list[str]:
    """A name for each path, none of them twice and none that is taken."""
    steps = [[_plain(step) for step in path[: -_STEPS_MAX - 1 : -1]] for path in paths]  # the last one first
    plain, lengths = [""] * len(paths), [0] * len(paths)
    names = [""] * len(paths)
    counts: Counter[str] = Counter()
    growing: dict[str, list[int]] = {}  # those of a name that can become longer; only what has changed is looked at
    longer = list(range(len(paths)))
    while longer:
        counts.subtract(names[at] for at in longer)
        for at in longer:
            if lengths[at] < len(steps[at]):
                plain[at] = f"{steps[at][lengths[at]]}_{plain[at]}".strip("_")
            lengths[at] += 1
            names[at] = _named(plain[at])
            if lengths[at] < len(steps[at]):
                growing.setdefault(names[at], []).append(at)
        counts.update(names[at] for at in longer)
        changed = dict.fromkeys(names[at] for at in longer)
        longer = [at for name in changed if counts[name] > 1 for at in growing.pop(name, ())]
    return _numbered(names, taken)


def _numbered(names: Sequence[str], taken: Collection[str]) -> list[str]:
    used, found = set(taken), []
    free: dict[str, int] = {}
    for name in names:
        unique, stem = name, name.rstrip("_")
        while unique in used:
            number = free.get(stem, 2)
            unique, free[stem] = f"{stem}_{number}", number + 1
        used.add(unique)
        found.append(unique)
    return found
