"""What a call costs, and where that comes from: own prices first, then litellm's price file, else unknown.

Unknown is never 0: a local model without a price of its own is not free, and an entry that has no price is no price.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final, Protocol

import msgspec

from proxy.core.config import Price
from proxy.core.outcomes import CostSource
from proxy.core.usage import TokenCounts
from proxy.observe.model_names import price_key
from proxy.observe.price_file import PriceFile, PriceFileStatus
from proxy.observe.rates import DIGITS, Entry
from proxy.observe.tariff import Tariff, rounded

_KEPT: Final = 1024  # names come from clients: what was found for them is forgotten together when it gets more


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """A price and where it comes from."""

    nanousd: int | None = None
    source: CostSource = "unknown"
    origin: str | None = None  # the pattern of the own price, or the key in the price file; also of an unknown cost


UNKNOWN: Final = Cost()


class _Prices(Protocol):
    def nanousd(self, tokens: TokenCounts, *, at_unix_s: float) -> int | None: ...


class _Found(msgspec.Struct, frozen=True):
    prices: _Prices
    source: CostSource
    origin: str


class PriceBook:
    """All prices in force. For one thread: the observer's."""

    def __init__(self, own: Mapping[str, Price], price_file: Path | None) -> None:
        """own: prices by model name or pattern (* and ?), in the order of the settings. price_file: None = none."""
        self._exact = {name: _OwnTariff(price) for name, price in own.items()}
        self._patterns = [(_pattern(name), name) for name in own if "*" in name or "?" in name]
        self._file = PriceFile(price_file)
        self._found: dict[tuple[str | None, ...], _Found | None] = {}

    @property
    def status(self) -> PriceFileStatus:
        """Which price file is in force, and what is wrong with it."""
        return self._file.status

    def price_call(
        self,
        asked: str | None,
        answered: str | None,
        tokens: TokenCounts,
        *,
        kind: str | None = None,
        service_tier: str | None = None,
        at_unix_s: float | None = None,
    ) -> Cost:
        """The cost of a call.

        asked, answered: the model in the request and in the answer. kind: of the upstream (UpstreamKind, None = not
        known); what an Ollama ran has no price of a cloud, whatever the model is called. service_tier: as the answer
        says. at_unix_s: when the call was made, for models with cheaper hours; None = now.
        """
        if self._file.refresh() or len(self._found) > _KEPT:
            self._found.clear()
        key = (asked, answered, kind, service_tier)
        if key not in self._found:
            self._found[key] = self._find(asked, answered, kind, service_tier)
        found = self._found[key]
        if found is None:
            return UNKNOWN
        nanousd = found.prices.nanousd(tokens, at_unix_s=time.time() if at_unix_s is None else at_unix_s)
        return Cost(nanousd=nanousd, source="unknown" if nanousd is None else found.source, origin=found.origin)

    def _find(
        self, asked: str | None, answered: str | None, kind: str | None, service_tier: str | None
    ) -> _Found | None:
        for name in filter(None, (asked, answered)):
            if (pattern := self._own(name)) is not None:
                return _Found(self._exact[pattern], "local", pattern)
        if kind == "ollama":
            return None
        for name in filter(None, (answered, asked)):  # the answer says more exactly what was used
            if (key := price_key(self._file, name)) is not None:
                entry = self._file.entry(key) or {}
                return None if _runs_locally(entry) else _published(entry, key, service_tier)
        return None

    def _own(self, name: str) -> str | None:
        """The own price for the name: itself, with or without Ollama's `:latest`, else the first pattern."""
        for spelling in _spellings(name):
            if spelling in self._exact:
                return spelling
        return next((name_ for pattern, name_ in self._patterns if pattern.fullmatch(name)), None)


def _published(entry: Entry, key: str, service_tier: str | None) -> _Found | None:
    try:
        return _Found(Tariff(entry, service_tier=service_tier), "exact", key)
    except (TypeError, ValueError):  # an entry that is not as litellm writes them is no price
        return None


class _OwnTariff:
    """A price from the settings: the same for every token of its kind."""

    def __init__(self, price: Price) -> None:
        self._prompt = _per_token(price.input_usd_per_mtok)
        self._completion = _per_token(price.output_usd_per_mtok)
        cached = price.cached_usd_per_mtok
        self._cached = self._prompt if cached is None else _per_token(cached)

    def nanousd(self, tokens: TokenCounts, *, at_unix_s: float) -> int | None:  # noqa: ARG002 - the same at any hour
        """Cost in nano-dollars; None when a count is missing whose price is not 0."""
        prompt, completion = _known(tokens.prompt, self._prompt), _known(tokens.completion, self._completion)
        if prompt is None or completion is None:
            return None
        cached = min(max(tokens.cached or 0, 0), prompt)
        return rounded((prompt - cached) * self._prompt + cached * self._cached + completion * self._completion)


def _known(count: int | None, price: int) -> int | None:
    if count is None:
        return None if price else 0
    return count if count >= 0 else None


def _per_token(usd_per_mtok: float) -> int:
    return int(Decimal(repr(usd_per_mtok)).scaleb(DIGITS - 6))


def _spellings(name: str) -> Iterator[str]:
    yield name
    if name.endswith(":latest"):
        yield name.removesuffix(":latest")
    elif ":" not in name:
        yield f"{name}:latest"


def _pattern(text: str) -> re.Pattern[str]:
    """Only * and ? are special: model names hold brackets, dots and slashes."""
    return re.compile("".join({"*": ".*", "?": "."}.get(sign, re.escape(sign)) for sign in text), re.DOTALL)


def _runs_locally(entry: Mapping[str, object]) -> bool:
    """Rows of Ollama and the like say 0 USD for what runs on somebody's own machine: that is no price."""
    return entry.get("litellm_provider") in ("ollama", "lemonade")
