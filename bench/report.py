"""From the figures of all rounds to the table: medians, spread, ratios to the bare proxy, targets. No I/O here.

A ratio is computed in each round, against the bare proxy's figure of that same round, and then its median is taken:
what the machine does to a whole round falls out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

# (part, contender) -> the figures of each round; None = it failed in that round.
Rounds = Mapping[tuple[str, str], list[dict[str, float] | None]]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table. limit is of the ratio if there is a base, else of the value itself."""

    part: str
    group: str  # what is measured
    label: str  # of whom
    contender: str
    figure: str
    unit: str
    base: str | None = None  # figure of the bare proxy, or of direct calls, it is compared with
    limit: float | None = None
    worst: bool = False  # the worst round counts, not the median
    less_direct: bool = False  # the figure of direct calls is taken off both sides of the ratio


NAMES: Final = ("bare", "sightglass", "nginx")


def _cpu_rows(part: str, what: str, *, relay: float, together: float | None) -> list[Row]:
    def row(label: str, contender: str, figure: str, limit: float | None = None) -> Row:
        group = f"CPU per {what}"
        return Row(
            part=part, group=group, label=label, contender=contender, figure=figure, unit="us", base="all", limit=limit
        )

    return [
        row("bare", "bare", "all"),
        row("sightglass relay", "sightglass", "relay", relay),
        row("sightglass observer", "sightglass", "observer"),
        row("sightglass supervisor", "sightglass", "supervisor"),
        row("sightglass in all", "sightglass", "all", together),
        row("nginx", "nginx", "all"),
        row("(the upstream, under bare)", "bare", "upstream"),
    ]


def _each(
    part: str,
    group: str,
    figure: str,
    unit: str,
    *,
    limit: float | None = None,
    compared: bool = True,
    less_direct: bool = False,
    worst: bool = False,
) -> list[Row]:
    """A row for each contender; the limit is Sightglass'."""
    return [
        Row(
            part=part,
            group=group,
            label=name,
            contender=name,
            figure=figure,
            unit=unit,
            base=figure if compared else None,
            limit=limit if name == "sightglass" else None,
            less_direct=less_direct,
            worst=worst,
        )
        for name in NAMES
    ]


def _memory_row(label: str, figure: str, limit: float | None = None, *, contender: str = "sightglass") -> Row:
    group = "resident memory, idle"
    return Row(part="idle", group=group, label=label, contender=contender, figure=figure, unit="MB", limit=limit)


ROWS: Final[list[Row]] = [
    *_cpu_rows("plain", "plain call", relay=0.45, together=2.0),
    *_each("plain", "calls per second", "per_s", "/s"),
    *_cpu_rows("streams", "piece", relay=0.65, together=None),
    Row(part="latency", group="p50", label="direct", contender="direct", figure="p50_us", unit="us"),
    *_each("latency", "added p50", "p50_us", "us", limit=0.65, less_direct=True),
    *_each("thousand", "errors, worst round", "errors", "", limit=0.0, compared=False, worst=True),
    *_each("thousand", "first token p99", "first_token_p99_ms", "ms", limit=0.15),
    *_each("thousand", "first token p50", "first_token_p50_ms", "ms"),
    *_each("thousand", "lateness of pieces p99", "late_p99_ms", "ms"),
    *_each("idle", "start to first answer", "first_answer_s", "s", limit=2.0, compared=False),
    _memory_row("sightglass in all", "rss", 150.0),
    _memory_row("sightglass relay", "relay_rss", 60.0),
    _memory_row("sightglass observer", "observer_rss"),
    _memory_row("sightglass supervisor", "supervisor_rss"),
    _memory_row("sightglass, shared pages once", "pss"),
    _memory_row("bare", "rss", contender="bare"),
    _memory_row("nginx", "rss", contender="nginx"),
]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A row with its numbers. ratios is empty where there is nothing to compare with."""

    row: Row
    values: list[float]
    ratios: list[float]

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None = there is none."""
        if self.row.limit is None:
            return None
        judged = self.ratios if self.row.base else self.values
        return bool(judged) and (max(judged) if self.row.worst else median(judged)) <= self.row.limit


def results(rounds: Rounds) -> list[Result]:
    """All rows that were measured."""
    found = [_result(row, rounds) for row in ROWS]
    return [result for result in found if result.values]


def _result(row: Row, rounds: Rounds) -> Result:
    values, ratios = [], []
    nothing: list[dict[str, float] | None] = []
    mine = rounds.get((row.part, row.contender), nothing)
    for index, figures in enumerate(mine):
        if figures is None or row.figure not in figures:
            continue
        direct = _at(rounds, (row.part, "direct"), index, row.figure) if row.less_direct else 0.0
        base = _at(rounds, (row.part, "bare"), index, row.base) if row.base else None
        if direct is None:
            continue
        values.append(figures[row.figure] - direct)
        if base is not None and base > direct:
            ratios.append((figures[row.figure] - direct) / (base - direct))
    return Result(row=row, values=values, ratios=ratios)


def _at(rounds: Rounds, key: tuple[str, str], index: int, figure: str) -> float | None:
    series = rounds.get(key, [])
    figures = series[index] if index < len(series) else None
    return None if figures is None else figures.get(figure)


def _number(value: float) -> str:
    return (
        f"{value:.0f}" if abs(value) >= 1000 or value == 0 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    )


def _range(values: list[float], form: Callable[[float], str]) -> str:
    return f"{form(min(values))}-{form(max(values))}"


def table(found: list[Result]) -> str:
    """The table as people read it."""
    lines = []
    part = group = ""
    for result in found:
        row = result.row
        if row.part != part:
            lines.append(
                f"\n{row.part.upper():<30}{'median':>8}    {'min-max':<15}{'x bare':>6}  {'min-max':<13}target"
            )
        if (row.part, row.group) != (part, group):
            lines.append(row.group)
        part, group = row.part, row.group
        lines.append(_line(result))
    return "\n".join(lines)


def _line(result: Result) -> str:
    row = result.row
    ratio = ratios = goal = ""
    if result.ratios:
        ratio = f"{median(result.ratios):.2f}"
        ratios = _range(result.ratios, lambda value: f"{value:.2f}")
    if row.limit is not None:
        goal = f"<= {row.limit:g} {'x' if row.base else row.unit}".rstrip() + (": met" if result.met else ": NOT MET")
    value = max(result.values) if row.worst else median(result.values)
    spread = _range(result.values, _number)
    return f"  {row.label:<28}{_number(value):>8} {row.unit:<3}{spread:<15}{ratio:>6}  {ratios:<13}{goal}".rstrip()


def foreign_cores(rounds: Rounds) -> float:
    """Cores that others used, on average over all measurements."""
    seen = [figures["foreign_cores"] for series in rounds.values() for figures in series if figures]
    return sum(seen) / len(seen) if seen else 0.0


def as_json(found: list[Result]) -> list[dict[str, Any]]:
    """The same for machines."""
    return [
        {
            "part": result.row.part,
            "group": result.row.group,
            "label": result.row.label,
            "contender": result.row.contender,
            "figure": result.row.figure,
            "unit": result.row.unit,
            "median": median(result.values),
            "values": result.values,
            "ratio_to_bare": median(result.ratios) if result.ratios else None,
            "ratios": result.ratios,
            "limit": result.row.limit,
            "met": result.met,
        }
        for result in found
    ]
