"""Service levels."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Seconds, Section, Share


class Objectives(Section, frozen=True, kw_only=True):
    """What the service shall hold. `sightglass rules` makes alert rules for Prometheus of it."""

    availability: Annotated[
        Share,
        Meta(
            description="Share of calls, over 30 days, that may not fail. What clients got wrong, what we refused and"
            " calls that clients left do not count."
        ),
    ] = 0.99
    first_token_s: Annotated[
        Seconds, Meta(description="The first token shall be there by then; a bound of the histogram's buckets.")
    ] = 10.0
    first_token_share: Annotated[Share, Meta(description="Share of answers that shall keep to it.")] = 0.95
    duration_s: Annotated[
        Seconds, Meta(description="A call shall be over by then; a bound of the histogram's buckets.")
    ] = 120.0
    duration_share: Annotated[Share, Meta(description="Share of calls that shall keep to it.")] = 0.95
    min_calls: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="With fewer calls in an alert's long window it is silent: one slow call at night wakes nobody."
        ),
    ] = 20
    upstream_down_s: Annotated[Seconds, Meta(description="An upstream may be mute this long.")] = 60.0
    models_loaded: Annotated[
        tuple[str, ...], Meta(description="Models that some Ollama shall have in memory at all times.")
    ] = ()
    journal_lag_s: Annotated[Seconds, Meta(description="The ledger may be this far behind.")] = 60.0
    cost_per_day_usd: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="What 24 hours may cost. Unset: no alert.")
    ] = None
    budget_usd_per_month: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="What 30 days may cost, at the pace of the last 7. Unset: no alert."),
    ] = None
    runbook_url: Annotated[
        str, Meta(description="Where people find docs/runbook.md; alerts name it with their section.")
    ] = "docs/runbook.md"
