"""What a dashboard is made of, short to write; building.py makes Grafana's JSON of it."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

# Filters: one Sightglass or all, the chosen models.
JOB: Final = 'job=~"$job"'
MODEL: Final = f'{JOB},model=~"$model"'
PACE: Final = "$__rate_interval"

GREEN, YELLOW, RED = "green", "yellow", "red"


class Query(NamedTuple):
    """PromQL, and how its series are called in the legend."""

    expr: str
    legend: str
    examples: bool = False  # show traces (exemplars) as dots


class Panel(NamedTuple):
    """One picture. Widths are of 24 columns. needs: what must be there for it to show anything; empty = traffic."""

    title: str
    about: str  # one or two sentences behind the (i)
    unit: str  # Grafana's word: s, bytes, percentunit, currencyUSD, short, reqps
    queries: tuple[Query, ...]
    form: Literal["lines", "stacked", "number"] = "lines"
    width: int = 8
    limits: tuple[tuple[float, str], ...] = ()  # from this value on in that colour; below the first: green
    needs: str = ""
    none: str = ""  # what is written where there is nothing to show


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Page(NamedTuple):
    """One dashboard."""

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    by_model: bool = True  # people can choose models


def quantiles(
    name: str, labels: str, *, by: str = "", examples: bool = False, of: tuple[float, ...] = (0.5, 0.95)
) -> tuple[Query, ...]:
    """Median and 95th percentile of a histogram, or the quantiles asked for; by a label when asked."""
    also, legend = (f", {by}", f" {{{{{by}}}}}") if by else ("", "")
    return tuple(
        Query(
            f"histogram_quantile({q}, sum by (le{also}) (rate({name}_bucket{{{labels}}}[{PACE}])))",
            f"p{round(q * 100)}{legend}",
            examples,
        )
        for q in of
    )


def rate(name: str, labels: str, *by: str, legend: str = "") -> Query:
    """Increase a second of a counter, by labels."""
    return Query(
        f"sum by ({', '.join(by)}) (rate({name}{{{labels}}}[{PACE}]))"
        if by
        else f"sum(rate({name}{{{labels}}}[{PACE}]))",
        legend or " ".join(f"{{{{{label}}}}}" for label in by),
    )


def within(name: str, labels: str, *by: str, legend: str = "") -> Query:
    """How much a counter grew within the time that is looked at, by labels."""
    inner = f"increase({name}{{{labels}}}[$__range])"
    return Query(
        f"sum by ({', '.join(by)}) ({inner})" if by else f"sum({inner})",
        legend or " ".join(f"{{{{{label}}}}}" for label in by),
    )
