"""Whether the user's own scorers can be loaded. Imports their modules, as the observer does."""

from __future__ import annotations

from proxy.cli.doctor.findings import Finding, ok, wrong
from proxy.core.config import Config


def examine_scorers(config: Config) -> list[Finding]:
    """Nothing where there are none."""
    if not config.quality.scorers:
        return []
    from proxy.observe.quality.score import WEIGHTS
    from proxy.observe.quality.scorers import find_scorers

    found, faults = find_scorers(config.quality.scorers, taken=WEIGHTS)
    return [
        *(ok("scorers", f"{scorer.name} can be loaded") for scorer in found),
        *(wrong("scorers", str(fault), "Mend quality.scorers; answers are scored without it.") for fault in faults),
    ]
