"""The cost of a call as the upstream itself says it: LiteLLM does. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from proxy.core.money import to_nanousd
from proxy.observe.pricing import Cost
from proxy.wire.meaning import Meaning

ORIGIN: Final = "litellm"
_MOST_USD: Final = 10**6


def settled_cost(meaning: Meaning, status: int | None, ours: Cost) -> Cost:
    """LiteLLM's figure where there is one, else `ours`, the shadow price of which stands in any case.

    Its 0 is a price only where its own cache answered, for it says 0 of models that it has no price for. But where it
    says 0, a published price of more is none either: it knows what it called, we only know a name.
    """
    usd = _told_usd(meaning, status)
    if usd is None:
        return ours
    if usd == 0 and not (meaning.litellm and meaning.litellm.cache_hit):
        return Cost(shadow=ours.shadow) if ours.nanousd and ours.source != "local" else ours
    return replace(ours, nanousd=to_nanousd(usd), source="exact", origin=ORIGIN)


def _told_usd(meaning: Meaning, status: int | None) -> Decimal | None:
    """What LiteLLM says; None = nothing. Errors are said to cost 0: they have no cost."""
    litellm = meaning.litellm
    if litellm is None or status is None or not 200 <= status < 300:
        return None
    if meaning.reported_cost_usd is not None:
        usd = Decimal(repr(meaning.reported_cost_usd))
        return usd if 0 <= usd <= _MOST_USD else None
    return None if meaning.streamed else litellm.cost_usd
