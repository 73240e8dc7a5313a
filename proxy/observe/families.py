"""Metric families as the observer holds them: plain numbers by label values, quick to change, rendered at a scrape.

prometheus_client's own counters cost 0.6-2 µs a change and keep floats; a dictionary costs 0.2 and keeps nano-dollars
whole. One thread changes, another renders: each copy is one step of the interpreter, so no lock is needed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

Labels = tuple[str, ...]
OTHER: Final = "other"  # what stands for all beyond a cap
NONE: Final = "none"  # a call that has no such thing


class Family(NamedTuple):
    """What a metric is. The one list of them is definitions.py."""

    name: str  # as people see it, `_total` included
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()
    known: tuple[Labels, ...] = ()  # label sets that begin at 0
    divisor: int = 1  # values are kept as whole numbers of 1/divisor


class SeriesBudget:
    """How many label sets all families with a `model` label may have together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.overflowed = 0  # times that a set was folded into `other`


class Numbers:
    """A counter or a gauge."""

    def __init__(self, family: Family, budget: SeriesBudget | None = None) -> None:
        """`budget`: for families with a model label."""
        self.family = family
        self._budget = budget
        self._model = family.labels.index("model") if budget is not None else -1
        self.values: dict[Labels, float] = dict.fromkeys(family.known, 0)

    def take(self, labels: Labels, amount: float) -> None:
        """Add to a counter."""
        values = self.values
        if labels not in values:
            labels = _admitted(labels, self._model, self._budget)
        values[labels] = values.get(labels, 0) + amount

    def metric(self) -> Metric:
        """All that is there now, for rendering."""
        family = self.family
        metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
        for labels, value in self.values.copy().items():
            named = dict(zip(family.labels, labels, strict=True))
            metric.samples.append(Sample(family.name, named, value / family.divisor))
        return metric


class Latest(Numbers):
    """A gauge that only grows, as the time of the last success does."""

    def take(self, labels: Labels, amount: float) -> None:
        """Set it, unless it is further already."""
        self.values[labels] = max(self.values.get(labels, 0), amount)


class Distribution:
    """A histogram."""

    def __init__(self, family: Family, budget: SeriesBudget | None = None) -> None:
        """`budget`: for families with a model label."""
        self.family = family
        self._budget = budget
        self._model = family.labels.index("model") if budget is not None else -1
        self._bounds = family.buckets
        # By label set: how many fell into each bucket (the last is +Inf), and at the end their sum.
        self._cells: dict[Labels, list[float]] = {labels: self._empty() for labels in family.known}

    def take(self, labels: Labels, amount: float) -> None:
        """Note one value."""
        cells = self._cells.get(labels)
        if cells is None:
            labels = _admitted(labels, self._model, self._budget)
            cells = self._cells.setdefault(labels, self._empty())
        cells[bisect_left(self._bounds, amount)] += 1
        cells[-1] += amount

    def metric(self) -> Metric:
        """All that is there now, for rendering."""
        family = self.family
        metric = Metric(family.name, family.help, family.kind)
        for labels, cells in self._cells.copy().items():
            metric.samples.extend(self._samples(dict(zip(family.labels, labels, strict=True)), cells.copy()))
        return metric

    def _samples(self, named: dict[str, str], cells: list[float]) -> Iterator[Sample]:
        name, count = self.family.name, 0.0
        for bound, inside in zip((*self._bounds, float("inf")), cells[:-1], strict=True):
            count += inside
            yield Sample(f"{name}_bucket", {**named, "le": _bound_text(bound)}, count)
        yield Sample(f"{name}_count", named, count)
        yield Sample(f"{name}_sum", named, cells[-1])

    def _empty(self) -> list[float]:
        return [0] * (len(self._bounds) + 2)


def _admitted(labels: Labels, model: int, budget: SeriesBudget | None) -> Labels:
    """The label set itself, or, when there are enough, the one that stands for all others."""
    if budget is None or labels[model] in (OTHER, NONE):
        return labels
    if budget.left > 0:
        budget.left -= 1
        return labels
    budget.overflowed += 1
    return (*labels[:model], OTHER, *labels[model + 1 :])


def _bound_text(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(float(bound))
