"""What rules are: a recorded series, an alert, a group of them. Values only; printing.py writes them."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

# page: somebody must look now. ticket: somebody must look this week.
Severity = Literal["page", "ticket"]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A series that Prometheus works out beforehand."""

    record: str
    expr: str


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert. for_s: how long it must hold before it fires."""

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    for_s: float = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that are worked out one after the other. interval_s None: as often as Prometheus does by default."""

    name: str
    rules: tuple[Recorded | Alert, ...]
    interval_s: float | None = None


def number(value: float) -> str:
    """A number as people write it: 10, 0.01, 2147483648."""
    return f"{value:.12g}"


def window(seconds: float) -> str:
    """A time as Prometheus writes it: 5m, 3d, 1h30m, 1s500ms; in whole milliseconds, as it knows no shorter ones."""
    rest, text = math.ceil(round(seconds * 1000, 6)), ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
