"""What a price from the settings asks for a call: by tokens, by seconds of work, or by electricity. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from proxy.core.config import Price
from proxy.core.usage import TokenCounts
from proxy.observe.rates import DIGITS
from proxy.observe.tariff import rounded

_WATT_NS_PER_KWH: Final = 10**3 * 3600 * 10**9
_NS_DIGITS: Final = 9


class TokenTariff:
    """The same for every token of its kind."""

    def __init__(self, price: Price) -> None:
        self._prompt = _per_token(price.input_usd_per_mtok or 0.0)
        self._completion = _per_token(price.output_usd_per_mtok)
        cached = price.cached_usd_per_mtok
        self._cached = self._prompt if cached is None else _per_token(cached)

    def nanousd(self, tokens: TokenCounts, *, work_ns: int | None, at_unix_s: float) -> int | None:  # noqa: ARG002
        """Cost in nano-dollars; None when a count is missing whose price is not 0."""
        prompt, completion = _known(tokens.prompt, self._prompt), _known(tokens.completion, self._completion)
        if prompt is None or completion is None:
            return None
        cached = min(max(tokens.cached or 0, 0), prompt)
        return rounded((prompt - cached) * self._prompt + cached * self._cached + completion * self._completion)


class WorkTariff:
    """The same for every second that the model read the prompt or generated."""

    def __init__(self, usd_per_ns: Decimal) -> None:
        self._per_ns = int(usd_per_ns.scaleb(DIGITS))

    def nanousd(self, tokens: TokenCounts, *, work_ns: int | None, at_unix_s: float) -> int | None:  # noqa: ARG002
        """Cost in nano-dollars; None when nobody told the seconds."""
        return None if work_ns is None else rounded(work_ns * self._per_ns)


OwnTariff = TokenTariff | WorkTariff


def own_tariff(price: Price) -> OwnTariff | None:
    """The tariff of a price; None = it has only a shadow price."""
    if price.gpu_second_usd is not None:
        return WorkTariff(_exact(price.gpu_second_usd).scaleb(-_NS_DIGITS))
    if price.watts is not None and price.usd_per_kwh is not None:
        return WorkTariff(_exact(price.watts) * _exact(price.usd_per_kwh) / _WATT_NS_PER_KWH)
    return None if price.input_usd_per_mtok is None else TokenTariff(price)


def _known(count: int | None, price: int) -> int | None:
    if count is None:
        return None if price else 0
    return count if count >= 0 else None


def _per_token(usd_per_mtok: float) -> int:
    return int(_exact(usd_per_mtok).scaleb(DIGITS - 6))


def _exact(number: float) -> Decimal:
    """As the settings write it: 0.1 is 0.1."""
    return Decimal(repr(number))
