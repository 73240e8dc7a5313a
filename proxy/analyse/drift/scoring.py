"""Scoring: the quality of one replayed record, as a line of `sightglass drift replay --scores`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.observe.quality.answered import Answered
from proxy.observe.quality.form import form_of
from proxy.observe.quality.score import score
from proxy.observe.quality.signals import Signals


def scores_of(index: int, record: Mapping[str, Any], signals: Signals) -> dict[str, Any]:
    """{index, quality, parts, shares}: shares are the hard faults that the answer has."""
    response, latency_ms = record.get("response") or "", record.get("latency_ms")
    scored = score(
        Answered(
            response=response,
            form=form_of(response),
            prompt=record.get("prompt") or "",
            finish_reason=record.get("finish_reason"),
            json_asked=signals.json_asked,
            latency_s=latency_ms / 1000 if latency_ms else None,
            completion_tokens=record.get("completion_tokens"),
            faults=signals.faults,
        )
    )
    return {
        "index": index,
        "quality": round(scored.quality, 4),
        "parts": {name: round(part, 4) for name, part in scored.parts.items()},
        "shares": sorted(signals.faults),
    }
