"""What a call costs, and where that comes from: own prices first, then litellm's price file, else unknown. And what
the same tokens would have cost elsewhere. What a LiteLLM upstream says itself goes before all: see told_cost.

Unknown is never 0: a local model without a price of its own is not free, and an entry that has no price is no price.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec
from msgspec.structs import replace

from proxy.core.config import Price
from proxy.core.outcomes import CostSource, TokensSource
from proxy.core.usage import TokenCounts
from proxy.observe.model_names import price_key
from proxy.observe.own_price import OwnTariff, own_tariff
from proxy.observe.price_file import PriceFile, PriceFileStatus
from proxy.observe.tariff import Tariff

_KEPT: Final = 1024  # names come from clients: what was found for them is forgotten together when it gets more


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """What a call's tokens would have cost elsewhere."""

    model: str  # as the settings name it
    nanousd: int | None = None
    source: CostSource = "unknown"


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """A price and where it comes from."""

    nanousd: int | None = None
    source: CostSource = "unknown"
    origin: str | None = None  # litellm, settings:<pattern>, price_file:<key>; also of an unknown cost
    shadow: Shadow | None = None  # None = the settings ask for none


UNKNOWN: Final = Cost()


class _Prices(Protocol):
    def nanousd(self, tokens: TokenCounts, *, at_unix_s: float) -> int | None: ...


class _Found(msgspec.Struct, frozen=True):
    """What prices a call, and beside it. Own tariffs may go by work, published ones go by tokens."""

    own: OwnTariff | None = None
    published: _Prices | None = None
    origin: str | None = None
    shadow: _Prices | None = None
    shadow_model: str | None = None


class PriceBook:
    """All prices in force. For one thread: the observer's."""

    def __init__(self, own: Mapping[str, Price], price_file: Path | None) -> None:
        """own: prices by model name or pattern (* and ?), in the order of the settings. price_file: None = none."""
        self._own_prices = dict(own)
        self._tariffs = {name: own_tariff(price) for name, price in own.items()}
        self._patterns = [(_pattern(name), name) for name in own if "*" in name or "?" in name]
        self._file = PriceFile(price_file)
        self._found: dict[tuple[str | None, ...], _Found] = {}

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
        tokens_source: TokensSource = "reported",
        work_ns: int | None = None,
        deployment: str | None = None,
        kind: str | None = None,
        service_tier: str | None = None,
        at_unix_s: float | None = None,
    ) -> Cost:
        """The cost of a call, and its shadow price where the settings ask for one.

        asked, answered: the model in the request and in the answer. tokens_source: `counted` ones are priced as far as
        they go. work_ns: what Ollama took to read the prompt and to generate. deployment: which model LiteLLM says it
        used; then no other name is looked for in the price file. kind: of the upstream (UpstreamKind, None = not
        known); what an Ollama ran has no price of a cloud, whatever the model is called. service_tier: as the answer
        says. at_unix_s: when the call was made, for models with cheaper hours; None = now.
        """
        if self._file.refresh() or len(self._found) > _KEPT:
            self._found.clear()
        key = (asked, answered, deployment, kind, service_tier)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(asked, answered, deployment, kind, service_tier)
        at_unix_s = time.time() if at_unix_s is None else at_unix_s
        if tokens_source == "counted":  # nobody told the prompt
            tokens = replace(tokens, prompt=tokens.prompt or 0)
        cost = _cost(found, tokens, work_ns, at_unix_s)
        shadow = _shadow(found, tokens, at_unix_s)
        return cost if shadow is None else replace(cost, shadow=shadow)

    def _find(
        self,
        asked: str | None,
        answered: str | None,
        deployment: str | None,
        kind: str | None,
        service_tier: str | None,
    ) -> _Found:
        pattern = next((own for name in filter(None, (asked, answered, deployment)) if (own := self._own(name))), None)
        shadow_model = self._own_prices[pattern].shadow_model if pattern is not None else None
        found = _Found(shadow=self._shadow_prices(shadow_model), shadow_model=shadow_model)
        if pattern is not None and (tariff := self._tariffs[pattern]) is not None:
            return replace(found, own=tariff, origin=f"settings:{pattern}")
        if kind == "ollama":
            return found
        # The answer says more exactly what was used.
        for name in (deployment,) if deployment is not None else filter(None, (answered, asked)):
            if (key := price_key(self._file, name)) is not None:
                prices = self._published(key, service_tier)
                return found if prices is None else replace(found, published=prices, origin=f"price_file:{key}")
        return found

    def _shadow_prices(self, model: str | None) -> _Prices | None:
        key = None if model is None else price_key(self._file, model)
        return None if key is None else self._published(key, None)

    def _published(self, key: str, service_tier: str | None) -> _Prices | None:
        entry = self._file.entry(key) or {}
        if _runs_locally(entry):
            return None
        try:
            return Tariff(entry, service_tier=service_tier)
        except (TypeError, ValueError):  # an entry that is not as litellm writes them is no price
            return None

    def _own(self, name: str) -> str | None:
        """The own price for the name: itself, with or without Ollama's `:latest`, else the first pattern."""
        for spelling in _spellings(name):
            if spelling in self._own_prices:
                return spelling
        return next((name_ for pattern, name_ in self._patterns if pattern.fullmatch(name)), None)


def _cost(found: _Found, tokens: TokenCounts, work_ns: int | None, at_unix_s: float) -> Cost:
    if found.own is not None:
        nanousd = found.own.nanousd(tokens, work_ns=work_ns, at_unix_s=at_unix_s)
        certainty: CostSource = "local"
    elif found.published is not None:
        nanousd = found.published.nanousd(tokens, at_unix_s=at_unix_s)
        certainty = "exact"
    else:
        return UNKNOWN
    return Cost(nanousd=nanousd, source="unknown" if nanousd is None else certainty, origin=found.origin)


def _shadow(found: _Found, tokens: TokenCounts, at_unix_s: float) -> Shadow | None:
    if found.shadow_model is None:
        return None
    nanousd = None if found.shadow is None else found.shadow.nanousd(tokens, at_unix_s=at_unix_s)
    source: CostSource = "unknown" if nanousd is None else "exact"
    return Shadow(model=found.shadow_model, nanousd=nanousd, source=source)


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
