"""Tools: offered, called, called wrongly, answered."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, PACE, Page, Panel, Query, Row, quantiles, rate

TOOLS: Final = Page(
    "sightglass-tools",
    "Sightglass: tools",
    "Which tools models are offered, which they call, how well, and what the results bring.",
    (
        Row(
            "Calls of tools",
            (
                Panel(
                    "By tool",
                    "Calls of tools in answers.",
                    "reqps",
                    (rate("sightglass_tool_calls_total", MODEL, "tool"),),
                    "stacked",
                    12,
                    needs="tools",
                ),
                Panel(
                    "By model",
                    "Calls of tools in answers.",
                    "reqps",
                    (rate("sightglass_tool_calls_total", MODEL, "model"),),
                    "stacked",
                    12,
                    needs="tools",
                ),
                Panel(
                    "Wrong calls",
                    "Tools that were not on offer, or arguments that do not fit the schema on offer.",
                    "percentunit",
                    (
                        Query(
                            f"sum by (model) (rate(sightglass_tool_calls_invalid_total{{{MODEL}}}[{PACE}]))"
                            f" / sum by (model) (rate(sightglass_tool_calls_total{{{MODEL}}}[{PACE}]))",
                            "{{model}}",
                        ),
                    ),
                    width=12,
                    needs="wrong tool calls",
                    none="no wrong calls",
                ),
                Panel(
                    "Offered",
                    "Times that a conversation began to offer the tool.",
                    "reqps",
                    (rate("sightglass_tools_offered_total", JOB, "tool"),),
                    width=12,
                    needs="tools",
                ),
            ),
        ),
        Row(
            "Results",
            (
                Panel(
                    "Round trip",
                    "From the answer that calls the tool to the request that brings its result.",
                    "s",
                    quantiles("sightglass_tool_round_trip_seconds", JOB, by="tool"),
                    width=12,
                    needs="tool results",
                ),
                Panel(
                    "Errors",
                    "Results that look like an error.",
                    "reqps",
                    (rate("sightglass_tool_errors_total", JOB, "tool"),),
                    width=12,
                    needs="tool errors",
                    none="no errors",
                ),
            ),
        ),
    ),
)
