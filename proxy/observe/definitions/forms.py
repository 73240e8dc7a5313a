"""Short ways to write a family down. Names and kinds are Prometheus'; see families.py for what they become."""

from __future__ import annotations

from itertools import product

from proxy.core.bounds import SECONDS
from proxy.observe.families import Family, Labels


def words(*each: tuple[str, ...]) -> tuple[Labels, ...]:
    """All label sets of closed words: they begin at 0."""
    return tuple(product(*each))


def counter(
    name: str,
    text: str,
    *labels: str,
    known: tuple[Labels, ...] = (),
    divisor: int = 1,
    examples: bool = False,
) -> Family:
    """A number that only grows. divisor: it is kept as whole numbers of 1/divisor."""
    begins = known if labels else ((),)
    return Family(name, "counter", text, labels, known=begins, divisor=divisor, examples=examples)


def gauge(name: str, text: str, *labels: str, known: tuple[Labels, ...] = ()) -> Family:
    """A number that holds now."""
    return Family(name, "gauge", text, labels, known=known if labels else ((),))


def histogram(
    name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS, examples: bool = False
) -> Family:
    """A distribution; `buckets` are upper bounds."""
    begins = () if labels else ((),)
    return Family(name, "histogram", text, labels, buckets=buckets, known=begins, examples=examples)
