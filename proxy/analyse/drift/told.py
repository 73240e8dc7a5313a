"""Told: what goes into a detector, one answer at a time, and what comes out of it. Numbers and words only."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import numpy.typing as npt

from proxy.analyse.drift.severity import Severity

Vector = npt.NDArray[Any]
EventWord = Literal["baseline", "raised", "recovered"]
Kind = Literal["output", "input", "share", "latency", "exact"]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as the detector takes it: numbers only. None: not known."""

    features: Vector
    prompt: Vector
    faults: frozenset[str]
    latency_s: float | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    in_flight: int | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One signal that is not as it was. moved: of its mean, in standard deviations; None for shares and latency."""

    name: str
    before: float
    after: float
    moved: float | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of one detector."""

    event: EventWord
    kind: Kind
    subject: str  # the alarm that it is about: the kind, or `share:` and the fault
    signals: tuple[Moved, ...] = ()
    evidence: float = 0.0  # natural logarithm of the level
    ago: int = 1  # answers since it began, this one included
    severity: Severity = "none"
