"""What a LiteLLM proxy tells of a call in the head of its answer. Pure; never raises on foreign bytes.

`x-litellm-response-cost` is on plain answers only. The fields -original, -input, -output and so on are 0.0 in streams,
whose heads go out before there are tokens: they are never read. Errors carry a cost of 0, which is none.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from proxy.wire.foreign import as_name, one_line
from proxy.wire.headers import parse_head

_PREFIX: Final = b"x-litellm-"
_MOST_USD: Final = 10**6
_MOST_COUNT: Final = 10**6
_BASE_CHARACTERS: Final = 512


class LiteLLM(msgspec.Struct, frozen=True, kw_only=True):
    """LiteLLM's own account of a call. None = not told."""

    call_id: str | None = None
    model_group: str | None = None
    model: str | None = None  # of the deployment, with its provider
    model_id: str | None = None  # of the deployment
    api_base: str | None = None  # without user, password, query and fragment
    retries: int | None = None
    fallbacks: int | None = None
    overhead_s: float | None = None
    cost_usd: Decimal | None = None  # of a plain answer; may be 0
    cache_hit: bool = False  # its own cache answered


def read_litellm(answer_head: bytes) -> LiteLLM | None:
    """LiteLLM's account; None when no LiteLLM answered."""
    if _PREFIX not in answer_head.lower():
        return None
    told: dict[bytes, str] = {}
    for name, value in parse_head(answer_head):
        if name.startswith(_PREFIX):
            told.setdefault(name.removeprefix(_PREFIX), value.decode("utf-8", "replace"))
    if not told:
        return None
    return LiteLLM(
        call_id=_name(told.get(b"call-id")),
        model_group=_name(told.get(b"model-group")),
        model=_name(told.get(b"model-name")),
        model_id=_name(told.get(b"model-id")),
        api_base=_bare_address(told.get(b"model-api-base")),
        retries=_count(told.get(b"attempted-retries")),
        fallbacks=_count(told.get(b"attempted-fallbacks")),
        overhead_s=_seconds(told.get(b"overhead-duration-ms")),
        cost_usd=_number(told.get(b"response-cost"), most=_MOST_USD),
        cache_hit=b"cache-key" in told,
    )


def _name(text: str | None) -> str | None:
    return None if text is None else as_name(text)


def _count(text: str | None) -> int | None:
    number = _number(text, most=_MOST_COUNT)
    return None if number is None or number != int(number) else int(number)


def _seconds(text_ms: str | None) -> float | None:
    number = _number(text_ms, most=10**9)
    return None if number is None else float(number / 1000)


def _number(text: str | None, *, most: int) -> Decimal | None:
    """A number from 0 to `most`; LiteLLM writes small ones as 1.35e-05."""
    if text is None or len(text) > 64:
        return None
    try:
        number = Decimal(text)
        return number if number.is_finite() and 0 <= number <= most else None
    except InvalidOperation:
        return None


def _bare_address(text: str | None) -> str | None:
    """An address without what could be a credential; None when it is no address."""
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return None
    if not parts.scheme or not place:
        return None
    return one_line(urlunsplit((parts.scheme, place, parts.path, "", "")), _BASE_CHARACTERS) or None
