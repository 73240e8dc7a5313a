"""Metric families as the observer holds them: plain numbers by label values, quick to change, rendered at a scrape.

prometheus_client's own counters cost 0.6-2 µs a change and keep floats; a dictionary costs 0.2 and keeps nano-dollars
whole. One thread changes, another renders: each copy is one step of the interpreter, so no lock is needed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Exemplar, Sample

Labels = tuple[str, ...]
OTHER: Final = "other"  # what stands for all beyond a cap
NONE: Final = "none"  # a call that has no such thing
CHOSEN: Final = frozenset({"model", "tool"})  # labels whose values clients choose


class Family(NamedTuple):
    """What a metric is. The one list of them is definitions/."""

    name: str  # as people see it, `_total` included
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()
    known: tuple[Labels, ...] = ()  # label sets that begin at 0
    divisor: int = 1  # values are kept as whole numbers of 1/divisor
    examples: bool = False  # OpenMetrics tells the trace of the last call beside each value


class Example(NamedTuple):
    """A call that stands for the others of its bucket: Prometheus calls it an exemplar."""

    trace_id: str  # 32 hexadecimal digits
    at_unix_s: float  # when the call ended

    def exemplar(self, value: float) -> Exemplar:
        """As prometheus_client writes it."""
        return Exemplar({"trace_id": self.trace_id}, value, self.at_unix_s)


class SeriesBudget:
    """How many label sets all families with labels that clients choose may have together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.taken = 0
        self.overflowed = 0  # times that a set was folded into `other`

    def admitted(self, labels: Labels, chosen: tuple[int, ...]) -> Labels:
        """The label set itself, or, when there are enough, the one that stands for all others.

        chosen: places of the labels that clients choose.
        """
        if all(labels[place] in (OTHER, NONE) for place in chosen):
            return labels
        if self.left > 0:
            self.left -= 1
            self.taken += 1
            return labels
        self.overflowed += 1
        return tuple(OTHER if place in chosen else label for place, label in enumerate(labels))


class Numbers:
    """A counter or a gauge."""

    def __init__(self, family: Family, budget: SeriesBudget) -> None:
        self.family = family
        self._budget = budget
        self._chosen = _chosen(family)
        self.values: dict[Labels, float] = dict.fromkeys(family.known, 0)
        self._examples: dict[Labels, Example] = {}

    def take(self, labels: Labels, amount: float, example: Example | None = None) -> None:
        """Add to a counter. example: the call that did it, where its family tells one."""
        values = self.values
        if labels not in values:
            labels = self._budget.admitted(labels, self._chosen)
        values[labels] = values.get(labels, 0) + amount
        if example is not None:
            self._examples[labels] = example

    def metric(self) -> Metric:
        """All that is there now, for rendering."""
        family = self.family
        metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
        examples = self._examples.copy()
        for labels, value in self.values.copy().items():
            named = dict(zip(family.labels, labels, strict=True))
            example = examples.get(labels)
            exemplar = example.exemplar(1) if example is not None else None
            metric.samples.append(Sample(family.name, named, value / family.divisor, None, exemplar))
        return metric


class Latest(Numbers):
    """A gauge that only grows, as the time of the last success does."""

    def take(self, labels: Labels, amount: float, example: Example | None = None) -> None:  # noqa: ARG002
        """Set it, unless it is further already."""
        self.values[labels] = max(self.values.get(labels, 0), amount)


class Distribution:
    """A histogram."""

    def __init__(self, family: Family, budget: SeriesBudget) -> None:
        self.family = family
        self._budget = budget
        self._chosen = _chosen(family)
        self._bounds = family.buckets
        self._examples: dict[Labels, dict[int, tuple[Example, float]]] = {}  # the last one of each bucket
        # By label set: how many fell into each bucket (the last is +Inf), and at the end their sum.
        self._cells: dict[Labels, list[float]] = {labels: self._empty() for labels in family.known}

    def take(self, labels: Labels, amount: float, example: Example | None = None) -> None:
        """Note one value. example: the call that had it, where its family tells one."""
        cells = self._cells.get(labels)
        if cells is None:
            labels = self._budget.admitted(labels, self._chosen)
            cells = self._cells.setdefault(labels, self._empty())
        bucket = bisect_left(self._bounds, amount)
        cells[bucket] += 1
        cells[-1] += amount
        if example is not None:
            self._examples.setdefault(labels, {})[bucket] = (example, amount)

    def metric(self) -> Metric:
        """All that is there now, for rendering."""
        family = self.family
        metric = Metric(family.name, family.help, family.kind)
        for labels, cells in self._cells.copy().items():
            named = dict(zip(family.labels, labels, strict=True))
            metric.samples.extend(self._samples(named, cells.copy(), self._examples.get(labels, {}).copy()))
        return metric

    def _samples(
        self, named: dict[str, str], cells: list[float], examples: dict[int, tuple[Example, float]]
    ) -> Iterator[Sample]:
        name, count = self.family.name, 0.0
        for bucket, (bound, inside) in enumerate(zip((*self._bounds, float("inf")), cells[:-1], strict=True)):
            count += inside
            found = examples.get(bucket)
            exemplar = found[0].exemplar(found[1]) if found is not None else None
            yield Sample(f"{name}_bucket", {**named, "le": _bound_text(bound)}, count, None, exemplar)
        yield Sample(f"{name}_count", named, count)
        yield Sample(f"{name}_sum", named, cells[-1])

    def _empty(self) -> list[float]:
        return [0] * (len(self._bounds) + 2)


def _chosen(family: Family) -> tuple[int, ...]:
    return tuple(place for place, label in enumerate(family.labels) if label in CHOSEN)


def _bound_text(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(float(bound))
