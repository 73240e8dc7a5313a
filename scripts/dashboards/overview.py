"""Overview: is it well, how much goes through, what does it cost."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, PACE, RED, YELLOW, Page, Panel, Query, Row, quantiles, rate, within

_FAULTS = "upstream_error|incomplete|timeout|interrupted|proxy_error"
_SERVED = f"ok|cached|{_FAULTS}"

OVERVIEW: Final = Page(
    "sightglass-overview",
    "Sightglass: overview",
    "Calls, failures, waiting and cost of everything that passes through Sightglass.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Calls",
                    "Calls that ended within the time that is looked at.",
                    "short",
                    (within("sightglass_calls_total", MODEL, legend="calls"),),
                    "number",
                    4,
                ),
                Panel(
                    "Failed",
                    "Share of calls that failed through the service's fault. Wrong requests, refusals and clients that"
                    " left do not count.",
                    "percentunit",
                    (
                        Query(
                            f'(sum(increase(sightglass_calls_total{{{MODEL},outcome=~"{_FAULTS}"}}[$__range])) or'
                            " vector(0))"
                            f' / sum(increase(sightglass_calls_total{{{MODEL},outcome=~"{_SERVED}"}}[$__range]))',
                            "failed",
                        ),
                    ),
                    "number",
                    4,
                    ((0.01, YELLOW), (0.05, RED)),
                ),
                Panel(
                    "First token, p95",
                    "19 of 20 answers began within this time.",
                    "s",
                    (
                        Query(
                            "histogram_quantile(0.95, sum by (le)"
                            f" (increase(sightglass_first_token_seconds_bucket{{{MODEL}}}[$__range])))",
                            "p95",
                        ),
                    ),
                    "number",
                    4,
                    ((5, YELLOW), (10, RED)),
                ),
                Panel(
                    "Cost",
                    "Of all calls whose price is known, within the time that is looked at.",
                    "currencyUSD",
                    (within("sightglass_cost_usd_total", MODEL, legend="cost"),),
                    "number",
                    4,
                    none="no price known",
                ),
                Panel(
                    "Under way",
                    "Calls that began and did not end yet, of all models.",
                    "short",
                    (Query(f"sum(sightglass_active_calls{{{JOB}}})", "calls"),),
                    "number",
                    4,
                ),
                Panel(
                    "Upstreams down",
                    "Upstreams that did not answer the last look.",
                    "short",
                    (Query(f"count(sightglass_upstream_up{{{JOB}}} == 0) or vector(0)", "down"),),
                    "number",
                    4,
                    ((1, RED),),
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                Panel(
                    "Calls by outcome",
                    "What calls came to. `client_gone`: the client left before the end.",
                    "reqps",
                    (rate("sightglass_calls_total", MODEL, "outcome"),),
                    "stacked",
                    12,
                ),
                Panel(
                    "Calls by model",
                    "As clients name them; `other` is beyond metrics.max_models.",
                    "reqps",
                    (rate("sightglass_calls_total", MODEL, "model"),),
                    "stacked",
                    12,
                ),
            ),
        ),
        Row(
            "Waiting",
            (
                Panel(
                    "Until the first token",
                    "From acceptance to the first token of any kind.",
                    "s",
                    quantiles("sightglass_first_token_seconds", MODEL, examples=True),
                    width=12,
                ),
                Panel(
                    "Until the end",
                    "From acceptance to the end of the answer.",
                    "s",
                    quantiles("sightglass_call_duration_seconds", MODEL, examples=True),
                    width=12,
                ),
            ),
        ),
        Row(
            "Trouble",
            (
                Panel(
                    "Errors by type",
                    "Calls that ended with an error.",
                    "reqps",
                    (Query(f"sum by (type) (rate(sightglass_errors_total{{{JOB}}}[{PACE}])) > 0", "{{type}}"),),
                    "stacked",
                    12,
                    none="no errors",
                ),
                Panel(
                    "Calls by path and status",
                    "`none`: the client left before there was a status.",
                    "reqps",
                    (rate("sightglass_calls_total", MODEL, "route", "status_class"),),
                    width=12,
                ),
            ),
        ),
    ),
)
