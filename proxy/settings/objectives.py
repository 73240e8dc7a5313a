"""Service levels: what no type can say of them."""

from __future__ import annotations

from collections.abc import Iterator

from proxy.core.bounds import SECONDS
from proxy.core.config import Objectives
from proxy.settings.mistakes import Found, said


def wrong_objectives(objectives: Objectives) -> Iterator[Found]:
    """Thresholds that no bucket can judge, names that are none."""
    for name in ("first_token_s", "duration_s"):
        value = getattr(objectives, name)
        if value not in SECONDS:
            bounds = ", ".join(f"{bound:g}" for bound in SECONDS)
            near = " or ".join(f"{bound:g}" for bound in _neighbours(value))
            hint = f"Prometheus only counts calls within these bounds; {near} is near"
            yield Found(("objectives", name), f"one of {bounds}", said(value), hint)
    if not all(objectives.models_loaded):
        yield Found(("objectives", "models_loaded"), "names of models", "an empty one")
    if not objectives.runbook_url:
        yield Found(("objectives", "runbook_url"), "an address or a path", "nothing")
    if "{{" in objectives.runbook_url or not objectives.runbook_url.isprintable():
        hint = "Prometheus takes {{ }} in an annotation for a template"
        yield Found(
            ("objectives", "runbook_url"), "an address or a path without {{", said(objectives.runbook_url), hint
        )


def _neighbours(value: float) -> tuple[float, ...]:
    below = [bound for bound in SECONDS if bound < value][-1:]
    above = [bound for bound in SECONDS if bound > value][:1]
    return (*below, *above)
