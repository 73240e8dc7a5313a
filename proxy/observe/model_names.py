"""Which entry of litellm's price file a model's name means, as litellm finds it; where it is not certain, none."""

from __future__ import annotations

import re
from typing import Final

from proxy.observe.price_file import PriceFile

_DATED: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")  # gpt-4o-2024-08-06
_FINE_TUNED: Final = re.compile(r"(:[^:]*){3}$")  # ft:gpt-4o-mini:org:suffix:id


def price_key(prices: PriceFile, name: str) -> str | None:
    """The key for a model of that name; None when no entry is certain.

    In order: the name itself (an entry of the same provider under `provider/name` goes first, as in litellm), the name
    after its provider, the only entry that ends with the name; then the same without a date or a fine-tuning.
    """
    for spelling in (name, _FINE_TUNED.sub("", name) if name.startswith("ft:") else _DATED.sub("", name)):
        key = _of_spelling(prices, spelling)
        if key is not None:
            return key
    return None


def _of_spelling(prices: PriceFile, name: str) -> str | None:
    key = prices.key_in_any_case(name)
    if key is not None:
        provider = _provider(prices, key)
        prefixed = f"{provider}/{key}"
        return prefixed if not key.startswith(f"{provider}/") and prices.entry(prefixed) is not None else key
    provider, slash, rest = name.partition("/")
    if slash:
        bare = prices.key_in_any_case(rest)
        return bare if bare is not None and _provider(prices, bare) == provider else None
    longer = prices.keys_ending_with(name)
    return longer[0] if len(longer) == 1 else None


def _provider(prices: PriceFile, key: str) -> str:
    """The provider as names have it: vertex_ai for vertex_ai-language-models, bedrock for bedrock_converse."""
    entry = prices.entry(key) or {}
    provider = str(entry.get("litellm_provider") or "")
    for family in ("vertex_ai", "bedrock", "fireworks_ai"):
        if provider.startswith((f"{family}-", f"{family}_converse")):
            return family
    return provider
