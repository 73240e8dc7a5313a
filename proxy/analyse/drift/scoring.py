"""Scoring: the quality of one replayed record, as a line of `sightglass drift replay --scores`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.analyse.drift.replay import answer_of
from proxy.observe.quality.answered import Answered
from proxy.observe.quality.score import score
from proxy.observe.quality.signals import Signals


def scores_of(index: int, record: Mapping[str, Any], signals: Signals) -> dict[str, Any]:
    """{index, quality, parts, shares}: shares: the hard faults that it has. quality null: it only calls tools."""
    latency_ms = record.get("latency_ms")
    latency_s = latency_ms / 1000 if latency_ms else None
    scored = score(Answered(answer=answer_of(record), signals=signals, latency_s=latency_s))
    return {
        "index": index,
        "quality": round(scored.quality, 4) if scored is not None else None,
        "parts": {name: round(part, 4) for name, part in scored.parts.items()} if scored is not None else {},
        "shares": sorted(signals.faults),
    }
