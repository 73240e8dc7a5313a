"""The closed words of a call: its outcome, and where its numbers come from. One place for each."""

from __future__ import annotations

from typing import Final, Literal, get_args

Outcome = Literal[
    "ok",
    "cached",  # answered from our cache
    "refused",  # our policy said no
    "rejected",  # the upstream said that the request is wrong (4xx but 429)
    "upstream_error",  # 429, 5xx, an error in the stream, no answer
    "incomplete",  # a clean end of body without a finish reason or end mark
    "timeout",  # the upstream was mute for longer than the settings allow
    "client_gone",  # the client left before the end
    "interrupted",  # we died while the call was under way
    "proxy_error",  # our own fault
]
TokensSource = Literal["reported", "counted", "estimated", "missing"]
CostSource = Literal[
    "exact",  # the upstream's own figure, or the model's published price
    "local",  # a price from the settings
    "unknown",
]

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
TOKENS_SOURCES: Final[tuple[TokensSource, ...]] = get_args(TokensSource)
COST_SOURCES: Final[tuple[CostSource, ...]] = get_args(CostSource)

# What service levels count against the service; the others are the client's doing or our policy's.
FAULTS: Final[frozenset[Outcome]] = frozenset({"upstream_error", "incomplete", "timeout", "interrupted", "proxy_error"})
