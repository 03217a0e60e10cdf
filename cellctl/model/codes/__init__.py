"""What every code means: the pages of `cellctl explain`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """x."""

    title: str


CODES: dict[str, Explanation] = {}


def explain(code: str) -> Explanation:
    """x."""
    return CODES[code]
