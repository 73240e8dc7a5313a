"""Tokens and cost."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, YELLOW, Page, Panel, Query, Row, quantiles, rate, within

_SPENT = "sightglass_cost_usd_total"

USAGE: Final = Page(
    "sightglass-usage",
    "Sightglass: tokens and cost",
    "What was used and what it cost, by model and by where the figures come from.",
    (
        Row(
            "Within the time that is looked at",
            (
                Panel(
                    "Prompt tokens",
                    "Cached ones included.",
                    "short",
                    (within("sightglass_tokens_total", f'{MODEL},kind="prompt"', legend="tokens"),),
                    "number",
                    4,
                ),
                Panel(
                    "Completion tokens",
                    "Reasoning included.",
                    "short",
                    (within("sightglass_tokens_total", f'{MODEL},kind="completion"', legend="tokens"),),
                    "number",
                    4,
                ),
                Panel(
                    "Cost",
                    "Of calls whose price is known.",
                    "currencyUSD",
                    (within(_SPENT, MODEL, legend="cost"),),
                    "number",
                    4,
                    none="no price known",
                ),
                Panel(
                    "At a cloud model",
                    "What the same tokens would have cost there (`shadow_model`).",
                    "currencyUSD",
                    (within("sightglass_shadow_cost_usd_total", MODEL, "shadow_model"),),
                    "number",
                    4,
                    needs="shadow",
                    none="no shadow_model set",
                ),
                Panel(
                    "Without a price",
                    "Calls whose tokens are known and whose price is not: they are in no sum.",
                    "short",
                    (
                        Query(
                            f"sum(increase(sightglass_unpriced_calls_total{{{MODEL}}}[$__range])) or vector(0)", "calls"
                        ),
                    ),
                    "number",
                    4,
                    ((1, YELLOW),),
                ),
                Panel(
                    "Without tokens",
                    "Answered calls whose tokens nobody told.",
                    "short",
                    (
                        Query(
                            f"sum(increase(sightglass_uncounted_calls_total{{{MODEL}}}[$__range])) or vector(0)",
                            "calls",
                        ),
                    ),
                    "number",
                    4,
                    ((1, YELLOW),),
                ),
            ),
        ),
        Row(
            "Tokens",
            (
                Panel(
                    "Tokens by kind",
                    "`cached` is a part of `prompt`, `reasoning` of `completion`: not stacked.",
                    "short",
                    (rate("sightglass_tokens_total", MODEL, "kind"),),
                ),
                Panel(
                    "Completion tokens by model",
                    "Tokens a second that clients got.",
                    "short",
                    (rate("sightglass_tokens_total", f'{MODEL},kind="completion"', "model"),),
                    "stacked",
                ),
                Panel(
                    "Tokens by source",
                    "reported: the upstream says. counted: pieces of a stream. estimated: from the text.",
                    "short",
                    (rate("sightglass_tokens_total", MODEL, "source"),),
                    "stacked",
                ),
                Panel(
                    "Length of prompts", "In tokens.", "short", quantiles("sightglass_prompt_tokens", MODEL), width=12
                ),
                Panel(
                    "Length of answers",
                    "In tokens, reasoning included.",
                    "short",
                    quantiles("sightglass_completion_tokens", MODEL),
                    width=12,
                ),
            ),
        ),
        Row(
            "Money",
            (
                Panel(
                    "Cost an hour, by model",
                    "At the pace of the moment.",
                    "currencyUSD",
                    (Query(f"sum by (model) (rate({_SPENT}{{{MODEL}}}[$__rate_interval])) * 3600", "{{model}}"),),
                    "stacked",
                ),
                Panel(
                    "Cost an hour, by source",
                    "exact: the upstream's figure or a published price. local: yours.",
                    "currencyUSD",
                    (Query(f"sum by (source) (rate({_SPENT}{{{MODEL}}}[$__rate_interval])) * 3600", "{{source}}"),),
                    "stacked",
                ),
                Panel(
                    "Cost of the last 24 hours",
                    "All models; the alert SightglassCostPerDay watches it.",
                    "currencyUSD",
                    (Query(f"sum(increase(sightglass_spent_usd_total{{{JOB}}}[1d]))", "USD"),),
                ),
            ),
        ),
    ),
)
