"""The outcome as a picture: one SVG, drawn by hand.

The rule kept here: nothing but rectangles, lines and text, so that every viewer shows the same; colours that can be
told apart in grey too, and each with its figure beside it.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from cellctl.testing.whatif.outcome import FASTER, Outcome

#: Sizes in px: the whole width, the room for names on the left and for figures on the right, a row, a heading.
WIDTH, LEFT, RIGHT, ROW, HEADING = 780, 150, 150, 30, 46
#: From where to where bars are drawn.
_SPAN = WIDTH - LEFT - RIGHT

_INK, _PALE, _GRID = "#1f2933", "#9fb3c8", "#d9e2ec"
_BAR, _MARK = "#2f6690", "#102a43"
#: Of the time in the states, by what they mean; any other is grey.
_COLOURS = {"Execute": "#2f6690", "Held": "#d64545", "Suspended": "#f0b429", "Completed": "#829ab1"}

#: So many bars under one heading.
BARS_DRAWN = 8


def drawn(outcome: Outcome) -> str:
    """The picture as the text of an SVG file."""
    best = outcome.best
    busy = list(best.busy.items())[:BARS_DRAWN]
    gains = [one for one in sorted(best.gains.items(), key=lambda one: -one[1]) if one[1] > 0][:BARS_DRAWN]
    tops = [HEADING]
    for rows in (len(outcome.variants), len(outcome.variants), len(busy), len(gains)):
        tops.append(tops[-1] + rows * ROW + HEADING + 14)
    body = [
        *_parts(outcome, tops[0]),
        *_states(outcome, tops[1]),
        *_bars(f"Busy, with wip {best.name}", busy, 1.0, tops[2]),
        *_bars(f"More parts if 10 % faster, with wip {best.name}", gains, FASTER, tops[3]),
    ]
    height = tops[4] - HEADING
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        ' role="img" font-family="sans-serif" font-size="13">',
        f"<title>{escape(_title(outcome))}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _parts(outcome: Outcome, top: int) -> Iterator[str]:
    """From the 10th to the 90th percentile a bar, at the median a mark."""
    rows = [(variant, variant.parts_per_hour) for variant in outcome.variants]
    most = max(made.p90 for _, made in rows) or 1.0
    yield _heading("Good parts an hour: P10, P50, P90", top)
    for number, (variant, made) in enumerate(rows):
        y = top + number * ROW
        low, middle, high = (LEFT + _SPAN * value / most for value in (made.p10, made.p50, made.p90))
        yield _text(LEFT - 10, y, f"wip {variant.name}", "end")
        yield _box((LEFT, y + 9, _SPAN, 2), _GRID)
        yield _box((low, y + 3, max(high - low, 1), 14), _PALE)
        yield _box((middle - 1.5, y, 3, 20), _MARK)
        yield _text(LEFT + _SPAN + 12, y, f"{made.p10:.1f}  {made.p50:.1f}  {made.p90:.1f}")


def _states(outcome: Outcome, top: int) -> Iterator[str]:
    """The whole shift as one bar, and what is lost of it named in its colour."""
    yield _heading("The shift, by PackML state", top)
    shown = dict.fromkeys(state for variant in outcome.variants for state in variant.states)
    for number, variant in enumerate(outcome.variants):
        x, y = float(LEFT), top + number * ROW
        yield _text(LEFT - 10, y, f"wip {variant.name}", "end")
        for state in shown:
            share = variant.states.get(state, 0.0)
            colour = _COLOURS.get(state, _PALE)
            yield _box((x, y, _SPAN * share, 20), colour, f"{state} {share * 100:.1f} %")
            x += _SPAN * share
        yield _text(LEFT + _SPAN + 12, y, f"Execute {variant.states.get('Execute', 0.0) * 100:.1f} %")
    x = float(LEFT)
    for state in shown:
        yield _box((x, top + len(outcome.variants) * ROW + 2, 10, 10), _COLOURS.get(state, _PALE))
        yield _text(x + 15, top + len(outcome.variants) * ROW - 3, state)
        x += 24 + 7.5 * len(state)


def _bars(title: str, rows: list[tuple[str, float]], full: float, top: int) -> Iterator[str]:
    """Shares as bars; one that is `full` goes all the way."""
    yield _heading(title, top)
    for number, (name, share) in enumerate(rows):
        y = top + number * ROW
        yield _text(LEFT - 10, y, name, "end")
        yield _box((LEFT, y, _SPAN, 20), _GRID)
        yield _box((LEFT, y, _SPAN * min(share / full, 1.0), 20), _BAR)
        yield _text(LEFT + _SPAN + 12, y, f"{share * 100:.1f} %")


def _title(outcome: Outcome) -> str:
    made = outcome.best.parts_per_hour.p50
    return f"{made:.1f} good parts an hour with wip {outcome.best.name}, in half of the shifts"


def _heading(text: str, top: int) -> str:
    return f'<text x="{LEFT}" y="{top - 14}" fill="{_INK}" font-size="15" font-weight="bold">{escape(text)}</text>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y + 15:.1f}" fill="{_INK}" text-anchor="{anchor}">{escape(text)}</text>'


def _box(box: tuple[float, float, float, float], colour: str, told: str = "") -> str:
    """`box`: x, y, width and height. `told` is shown where the pointer rests on it."""
    x, y, width, height = box
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">{title}</rect>'
