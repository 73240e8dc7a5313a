"""Which prices of an entry in litellm's price file hold for a call: its tier, its length, its hour. Pure.

A rate is an integer of 1e-30 USD per token, so that sums of products stay exact (litellm computes in floats). Where
providers bill in their own way litellm has a calculator for each; `Way` is what those differ in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

import msgspec

Entry = Mapping[str, Any]

DIGITS: Final = 30  # decimals of a rate; the longest in the file has 23

_PROMPT: Final = "input_cost_per_token"
_COMPLETION: Final = "output_cost_per_token"
_CACHED: Final = "cache_read_input_token_cost"
_WRITTEN: Final = "cache_creation_input_token_cost"
_WRITTEN_1H: Final = "cache_creation_input_token_cost_above_1hr"
_REASONING: Final = "output_cost_per_reasoning_token"

# What litellm calls a service tier in its price keys; any other (default, standard, auto) is the standard price.
TIER_SUFFIXES: Final = {
    "flex": "_flex",
    "balanced": "_balanced",
    "priority": "_priority",
    "fast": "_priority",
    "ultrafast": "_ultrafast",
}
BATCH: Final = "_batches"
_ABOVE: Final = re.compile(
    rf"(?P<key>{_PROMPT}|{_COMPLETION}|{_CACHED}|{_WRITTEN}|{_WRITTEN_1H})"
    r"_above_(?P<limit>(?P<count>\d+)(?P<k>k?))_tokens(?P<suffix>_[a-z]+)?"
)


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider's calculator differs from the general one."""

    tiers: bool = True  # looks at the service tier
    thresholds: bool = True  # looks at *_above_*_tokens
    inclusive: bool = False  # a prompt of exactly the threshold is above it
    caches: bool = True  # cached and written tokens have prices of their own
    one_hour: bool = True  # writes for an hour have a price of their own
    audio: bool = True  # so has audio
    reasoning: bool = True  # so has reasoning
    cached_share: int | None = None  # percent of the input price that cached tokens cost when no price is given


_OWN_TIERS: Final = Way(tiers=False, thresholds=False, one_hour=False, audio=False)
WAYS: Final = {
    "xai": Way(tiers=False, inclusive=True, reasoning=False),
    "perplexity": Way(tiers=False, thresholds=False, caches=False, audio=False),
    "dashscope": _OWN_TIERS,
    "qwencloud": _OWN_TIERS,
    "qwen_ai_platform": _OWN_TIERS,
    "fireworks_ai": Way(tiers=False, cached_share=50),
    "deepseek": Way(tiers=False),
    "tencent": Way(tiers=False),
}
GENERAL: Final = Way()


class Rates(NamedTuple):
    """Prices in force for one call, 1e-30 USD a token. Those of a completion are None when the entry has none."""

    prompt: int
    cached: int
    written: int
    written_1h: int
    audio_prompt: int
    completion: int | None
    reasoning: int | None
    audio_completion: int | None


class _Above(NamedTuple):
    key: str  # of the price without threshold
    limit: int  # tokens of the prompt
    name: str  # the limit as written: 200k
    suffix: str  # "" = standard tier


def limits(entry: Entry, way: Way, suffix: str) -> list[int]:
    """Prompt lengths, ascending, at which the prices may change."""
    found = {above.limit for above in _thresholds(entry, way, suffix)}
    if suffix != BATCH:
        found.update(int(begin) for begin, _end, _tier in _tiers(entry))
    return sorted(found)


def rates_at(entry: Entry, way: Way, suffix: str, prompt: int, low: Entry | None) -> Rates | None:
    """Prices for a prompt of that many tokens; None when the entry has no price for a prompt token.

    suffix: of the service tier, or BATCH. low: the entry's `off_peak_pricing` while it holds.
    """
    if suffix == BATCH:
        return _batch_rates(entry, way, prompt)
    tier = next((tier for begin, end, tier in _tiers(entry) if begin < prompt <= end), None)
    prices = _flat_prices(entry, way, suffix, prompt) if tier is None else _tier_prices(entry, tier)
    reasoning = _reasoning(entry, tier, suffix)
    if prices[_PROMPT] is None:
        return None
    low_prices = {key: rate(low.get(key)) for key in (_PROMPT, _COMPLETION, _CACHED, _WRITTEN)} if low else {}
    prices |= {key: price for key, price in low_prices.items() if price is not None}
    if low and (low_reasoning := rate(low.get(_REASONING))) is not None:
        reasoning = low_reasoning

    per_prompt, completion = prices[_PROMPT], prices[_COMPLETION]
    assert per_prompt is not None
    written = _first(prices[_WRITTEN], per_prompt)
    return Rates(
        prompt=per_prompt,
        cached=_first(prices[_CACHED], per_prompt),
        written=written,
        written_1h=_first(prices[_WRITTEN_1H], written),
        audio_prompt=_first(rate(entry.get("input_cost_per_audio_token")), per_prompt),
        completion=completion,
        reasoning=completion if reasoning is None else reasoning,
        audio_completion=rate(entry.get("output_cost_per_audio_token")) or completion,
    )


def billed_otherwise(entry: Entry) -> bool:
    """Whether tokens are stated to cost 0 because images, seconds or queries are what costs: then 0 is no price."""
    if rate(entry.get(_PROMPT)) != 0 or rate(entry.get(_COMPLETION)) or entry.get("tiered_pricing"):
        return False
    return any("_cost_per_" in name and rate(price) for name, price in entry.items())


def rate(value: object) -> int | None:
    """A price as integer of 1e-30 USD; None for what is no price."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        number = Decimal(value)
        return int(number.scaleb(DIGITS)) if 0 <= number < 10**6 else None
    except InvalidOperation:
        return None


def _flat_prices(entry: Entry, way: Way, suffix: str, prompt: int) -> dict[str, int | None]:
    prices = {key: _of_tier(entry, key, suffix) for key in (_PROMPT, _COMPLETION, _CACHED, _WRITTEN)}
    prices[_WRITTEN_1H] = rate(entry.get(_WRITTEN_1H))
    standard = rate(entry.get(_PROMPT))
    if way.cached_share is not None and entry.get(_CACHED) is None and standard is not None:
        prices[_CACHED] = standard * way.cached_share // 100
    for above in _thresholds(entry, way, suffix):
        if _passes(prompt, above.limit, way):
            for key in prices:
                price = _of_tier(entry, f"{key}_above_{above.name}_tokens", suffix)
                prices[key] = prices[key] if price is None else price
    return prices


def _tier_prices(entry: Entry, tier: Entry) -> dict[str, int | None]:
    """All prices from one tier of `tiered_pricing`; what it leaves out costs as its prompt tokens do."""
    completion = tier[_COMPLETION] if _COMPLETION in tier else entry.get(_COMPLETION)
    return {
        _PROMPT: rate(tier[_PROMPT]),
        _COMPLETION: rate(completion),
        **{key: rate(tier.get(key)) for key in (_CACHED, _WRITTEN, _WRITTEN_1H)},
    }


def _reasoning(entry: Entry, tier: Entry | None, suffix: str) -> int | None:
    """Price of a reasoning token when it has one of its own; None = as any completion token."""
    if tier is not None and (_REASONING in tier or _COMPLETION in tier):
        return rate(tier.get(_REASONING))
    own = rate(entry.get(_REASONING + suffix))
    if own is not None:
        return own
    if suffix and entry.get(_COMPLETION + suffix) is not None:
        return None
    return rate(entry.get(_REASONING))


def _batch_rates(entry: Entry, way: Way, prompt: int) -> Rates | None:
    """Prices of batch jobs; half the standard prices where the entry has none of its own."""
    own: dict[str, int | None] = {
        key: rate(entry.get(key + BATCH)) for key in (_PROMPT, _COMPLETION, _CACHED, _WRITTEN)
    }
    for above in _thresholds(entry, way, BATCH):
        if above.key in own and _passes(prompt, above.limit, way):
            own[above.key] = _first(rate(entry.get(f"{above.key}_above_{above.name}_tokens{BATCH}")), own[above.key])
    standard, completion = rate(entry.get(_PROMPT)), rate(entry.get(_COMPLETION))
    per_completion = own[_COMPLETION] if own[_COMPLETION] is not None else completion and completion // 2
    if (per_prompt := own[_PROMPT]) is not None:
        cached, written = _first(own[_CACHED], per_prompt), _first(own[_WRITTEN], per_prompt)
        audio = _first(rate(entry.get("input_cost_per_audio_token" + BATCH)), per_prompt)
    elif standard is not None:
        per_prompt = audio = standard // 2
        cached = (rate(entry.get(_CACHED)) or 0) // 2 if standard else 0
        written = (rate(entry.get(_WRITTEN)) or standard) // 2 if standard else 0
    else:
        return None
    return Rates(per_prompt, cached, written, written, audio, per_completion, per_completion, per_completion)


def _thresholds(entry: Entry, way: Way, suffix: str) -> list[_Above]:
    """Prices above a prompt length, shortest first."""
    if not way.thresholds:
        return []
    suffixes = {BATCH} if suffix == BATCH else {"", suffix}
    found = [
        _Above(match["key"], int(match["count"]) * (1000 if match["k"] else 1), match["limit"], match["suffix"] or "")
        for name, price in entry.items()
        if price is not None and (match := _ABOVE.fullmatch(name))
    ]
    return sorted((above for above in found if above.suffix in suffixes), key=lambda above: above.limit)


def _passes(prompt: int, limit: int, way: Way) -> bool:
    return prompt > limit or (way.inclusive and prompt == limit)


def _tiers(entry: Entry) -> Iterator[tuple[float, float, Entry]]:
    """(begin, end, prices) of `tiered_pricing`, ascending; the last has no end. One tier prices the whole call."""
    tiers = entry.get("tiered_pricing")
    ranged = [
        tier
        for tier in (tiers if isinstance(tiers, list) else [])
        if isinstance(tier, Mapping) and len(tier.get("range") or ()) == 2 and _PROMPT in tier
    ]
    ranged.sort(key=lambda tier: tier["range"][0])
    for place, tier in enumerate(ranged, start=1):
        begin, end = tier["range"]
        yield float(begin), float("inf") if place == len(ranged) else float(end), tier


def _of_tier(entry: Entry, key: str, suffix: str) -> int | None:
    """The tier's price, else the standard one."""
    price = rate(entry.get(key + suffix)) if suffix else None
    return rate(entry.get(key)) if price is None else price


def _first(price: int | None, otherwise: int | None) -> Any:
    return otherwise if price is None else price
