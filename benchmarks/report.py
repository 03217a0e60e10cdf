"""The table: printed, as JSON, and as the page of the docs."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rounds import Figure, Row

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
PAGE = ROOT / "docs" / "reference" / "performance.md"

_HEAD = ("goal", "what", "unit", "ours", "floor", "peer", "ratio", "goal says", "verdict")

_PAGE = """# Performance

<!-- Written by `make bench`. -->

Every figure is the median of {rounds} rounds, with the lowest and the highest; ours, the floor and the peer take turns
within one run. The *floor* is the least that the work can cost here (bare Python, a bare commit, a bare socket), the
*peer* a program that people use for it. A ratio is ours over the other, within each round. Machines differ and are
noisy: trust the ratios.

{table}

{notes}

Measured on {machine}.

## To repeat it

```console
$ make bench
```

It takes about eight minutes, installs the peers into an environment of their own under `.venv`, speaks to 127.0.0.1
only, prints this table and writes `benchmarks/results/latest.json` and this page. `python -m benchmarks P7 P8` measures
those goals alone and writes nothing.
"""


def printed(rows: Sequence[Row]) -> str:
    """The table for a terminal."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def write(rows: Sequence[Row]) -> None:
    """Write the JSON and the page."""
    table = [
        {
            "goal": row.goal,
            "metric": row.metric,
            "unit": row.unit,
            "figures": {name: _figure(figure) for name, figure in row.figures.items()},
            "ratio": round(row.ratio, 4),
            "against": row.against or None,
            "goal_says": row.told,
            "met": row.met,
            "note": row.note,
        }
        for row in rows
    ]
    document = {"schema": "cellctl.bench/1", "machine": machine(), "rows": table}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(_page(rows), encoding="utf-8")


def machine() -> str:
    """What it was measured on, in words."""
    count = len(_processors())
    return f"{count} cores of {_processors()[0]}, {platform.system()}, Python {platform.python_version()}"


def _page(rows: Sequence[Row]) -> str:
    marks = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    table = "\n".join([*marks, *("| " + " | ".join(_cells(row)) + " |" for row in rows)])
    notes = "\n".join(f"- **{row.goal}, {row.metric}**: {row.note}" for row in rows if row.note)
    rounds = min(len(row.figures["ours"].rounds) for row in rows)
    return _PAGE.format(rounds=rounds, table=table, notes=notes, machine=machine())


def _cells(row: Row) -> tuple[str, ...]:
    figures = [_told(row.figures.get(name)) for name in ("ours", "floor", "peer")]
    ratios = [f"{_short(_ratio(row, name))} x {name}" for name in ("floor", "peer") if name in row.figures]
    return (row.goal, row.metric, row.unit, *figures, ", ".join(ratios), row.told, "met" if row.met else "MISSED")


def _ratio(row: Row, against: str) -> float:
    return row.ratio if against == row.against else row.figures["ours"].median / row.figures[against].median


def _told(figure: Figure | None) -> str:
    return f"{_short(figure.median)} ({_short(figure.low)}..{_short(figure.high)})" if figure else ""


def _short(number: float) -> str:
    """Three significant digits, and never in powers of ten."""
    return f"{number:,.0f}" if number >= 1000 else f"{number:.3g}"


def _figure(figure: Figure) -> dict[str, object]:
    rounds = [round(value, 6) for value in figure.rounds]
    return {"median": round(figure.median, 6), "min": min(rounds), "max": max(rounds), "rounds": rounds}


def _processors() -> list[str]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names or [platform.machine()]
