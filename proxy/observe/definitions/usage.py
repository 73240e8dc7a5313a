"""What calls used: tokens, money, tools, and what LiteLLM did behind us."""

from __future__ import annotations

from typing import Final

from proxy.core.bounds import TOKENS as TOKEN_BOUNDS
from proxy.observe.definitions.forms import counter, histogram

TOKEN_KINDS: Final = ("prompt", "completion", "cached", "reasoning")

TOKENS: Final = counter(
    "sightglass_tokens_total",
    "Tokens. cached is a part of prompt, reasoning a part of completion: do not add these to the others.",
    "model",
    "kind",
    "source",
)
PROMPT_LENGTH: Final = histogram(
    "sightglass_prompt_tokens", "Length of a call's prompt in tokens.", "model", buckets=TOKEN_BOUNDS
)
COMPLETION_LENGTH: Final = histogram(
    "sightglass_completion_tokens",
    "Length of a call's answer in tokens, reasoning included.",
    "model",
    buckets=TOKEN_BOUNDS,
)
COST: Final = counter(
    "sightglass_cost_usd_total",
    "Cost in US dollars, kept exact to 1e-9.",
    "model",
    "upstream",
    "source",
    divisor=10**9,
)
SPENT: Final = counter(
    "sightglass_spent_usd_total",
    "Cost of all calls together in US dollars: begins at 0, for alert rules.",
    divisor=10**9,
)
SHADOW_COST: Final = counter(
    "sightglass_shadow_cost_usd_total",
    "What the same tokens would have cost at the model that the settings compare with, in US dollars.",
    "model",
    "shadow_model",
    "source",
    divisor=10**9,
)
UNPRICED: Final = counter(
    "sightglass_unpriced_calls_total", "Calls whose tokens are known and whose price is not.", "model"
)
UNCOUNTED: Final = counter(
    "sightglass_uncounted_calls_total", "Answered calls (2xx) of a token dialect whose tokens nobody knows.", "model"
)
LITELLM_OVERHEAD: Final = histogram(
    "sightglass_litellm_overhead_seconds", "LiteLLM's own part of a call, as it says.", "model"
)
LITELLM_RETRIES: Final = counter("sightglass_litellm_retries_total", "Attempts of LiteLLM's after the first.", "model")
LITELLM_FALLBACKS: Final = counter(
    "sightglass_litellm_fallbacks_total", "Other model groups that LiteLLM turned to.", "model"
)
TOOL_CALLS: Final = counter("sightglass_tool_calls_total", "Calls of tools in answers.", "model", "tool")
TOOL_CALLS_INVALID: Final = counter(
    "sightglass_tool_calls_invalid_total",
    "Calls of tools that were not on offer, or whose arguments are no JSON or do not fit the schema on offer.",
    "model",
    "tool",
)
TOOLS_OFFERED: Final = counter(
    "sightglass_tools_offered_total",
    "Times that a conversation began to offer the tool: once, and again when its offer changes.",
    "tool",
)
TOOL_ROUND_TRIP: Final = histogram(
    "sightglass_tool_round_trip_seconds",
    "From the end of the answer that calls the tool to the request that brings its result.",
    "tool",
)
TOOL_ERRORS: Final = counter("sightglass_tool_errors_total", "Results of tools that look like an error.", "tool")
