"""What one entry of the price file asks for so many tokens: the arithmetic of litellm, exact to the nano-dollar.

tests/observe/test_tariff.py compares every entry with litellm itself; docs/prices.md tells the rules.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Final

from proxy.core.usage import TokenCounts
from proxy.observe.off_peak import OffPeak
from proxy.observe.rates import (
    BATCH,
    DIGITS,
    GENERAL,
    TIER_SUFFIXES,
    WAYS,
    Entry,
    Rates,
    Way,
    billed_otherwise,
    limits,
    rates_at,
)

_PER_NANO: Final[int] = 10 ** (DIGITS - 9)


class Tariff:
    """One entry under one service tier. Its prices are worked out once for each band between two thresholds."""

    def __init__(self, entry: Entry, *, service_tier: str | None = None) -> None:
        """entry: as in the price file, numbers exact. service_tier: as the answer says; `batch` for batch jobs."""
        self._entry = entry
        way = WAYS.get(str(entry.get("litellm_provider")), GENERAL)
        self._suffix = _suffix(service_tier, way)
        # Batch jobs are billed in one way by all, but for where a threshold begins.
        self._way = Way(inclusive=way.inclusive) if self._suffix == BATCH else way
        self._limits = limits(entry, self._way, self._suffix)
        self._band_of = bisect_right if self._way.inclusive else bisect_left
        self._bands: dict[tuple[int, bool], Rates | None] = {}
        block = entry.get("off_peak_pricing")
        self._off_peak = OffPeak(block) if isinstance(block, Mapping) and self._suffix != BATCH else None
        self._billed_otherwise = billed_otherwise(entry)
        self._is_embedding = entry.get("mode") == "embedding"

    def nanousd(self, tokens: TokenCounts, *, at_unix_s: float) -> int | None:
        """Cost in nano-dollars, half to even; None when a count is missing or the entry does not price these tokens.

        at_unix_s: when the call was made, for models with cheaper hours.
        """
        prompt, completion = tokens.prompt, tokens.completion
        if completion is None and self._is_embedding:
            completion = 0  # nothing is generated
        if prompt is None or completion is None or prompt < 0 or completion < 0 or self._billed_otherwise:
            return None
        low = self._off_peak is not None and self._off_peak.open_at(at_unix_s)
        rates = self._rates(prompt, low=low)
        if rates is None:
            return None
        generated = _completion_cost(completion, tokens, rates, self._way)
        return None if generated is None else rounded(_prompt_cost(prompt, tokens, rates, self._way) + generated)

    def _rates(self, prompt: int, *, low: bool) -> Rates | None:
        band = (self._band_of(self._limits, prompt), low)
        if band not in self._bands:
            prices = self._off_peak.prices if self._off_peak and low else None
            self._bands[band] = rates_at(self._entry, self._way, self._suffix, prompt, prices)
        return self._bands[band]


def rounded(total: int) -> int:
    """Units of 1e-30 USD as whole nano-dollars, half to even."""
    nanos, rest = divmod(total, _PER_NANO)
    half = _PER_NANO // 2
    return nanos + 1 if rest > half or (rest == half and nanos % 2) else nanos


def _prompt_cost(prompt: int, tokens: TokenCounts, rates: Rates, way: Way) -> int:
    """Parts first; what is left is plain. Counts that overlap or exceed the prompt: caches win, the rest is cut."""
    cached = _count(tokens.cached) if way.caches else 0
    written = _count(tokens.cache_write) if way.caches else 0
    audio = _count(tokens.audio_prompt) if way.audio else 0
    left = max(prompt - cached - written, 0)
    if cached or written:
        audio = min(audio, left)
    hour = min(_count(tokens.cache_write_1h), written) if way.one_hour else 0
    return (
        max(left - audio, 0) * rates.prompt
        + cached * rates.cached
        + (written - hour) * rates.written
        + hour * rates.written_1h
        + audio * rates.audio_prompt
    )


def _completion_cost(completion: int, tokens: TokenCounts, rates: Rates, way: Way) -> int | None:
    """None when something was generated that has no price."""
    if completion == 0:
        return 0
    if rates.completion is None or rates.reasoning is None or rates.audio_completion is None:
        return None
    reasoning = _count(tokens.reasoning) if way.reasoning else 0
    audio = _count(tokens.audio_completion) if way.reasoning and way.audio else 0
    return (
        max(completion - reasoning - audio, 0) * rates.completion
        + reasoning * rates.reasoning
        + audio * rates.audio_completion
    )


def _count(value: int | None) -> int:
    """A part that is not told is priced as its whole."""
    return max(value or 0, 0)


def _suffix(service_tier: str | None, way: Way) -> str:
    tier = (service_tier or "").lower()
    if tier in ("batch", "batches"):
        return BATCH
    return TIER_SUFFIXES.get(tier, "") if way.tiers else ""
