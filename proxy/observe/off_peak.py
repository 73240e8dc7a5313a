"""Hours in which a model costs less, as litellm's `off_peak_pricing` describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

_Hours = tuple[time, time]
_Rule = tuple[frozenset[int] | None, _Hours]  # weekdays, None = every day

_DAYS: Final = {"mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6, "sun": 7}


class OffPeak:
    """The windows of one model: daily ones (`hours_utc`), and ones of certain weekdays (`windows`)."""

    def __init__(self, block: Mapping[str, Any]) -> None:
        """block: the entry's `off_peak_pricing`; what cannot be read in it opens no window."""
        self.prices = block
        self._calendar = _calendar(block.get("weekday_timezone"))
        self._rules: list[_Rule] = [(None, hours) for hours in _hours(block.get("hours_utc"))]
        rules = block.get("windows")
        for rule in rules if isinstance(rules, list) else []:
            if isinstance(rule, Mapping):
                days = _weekdays(rule.get("weekdays"))
                self._rules += [(days, hours) for hours in _hours(rule.get("hours_utc"))]

    def open_at(self, unix_s: float) -> bool:
        """Whether the low prices hold at that moment."""
        moment = datetime.fromtimestamp(unix_s, UTC)
        day = moment.astimezone(self._calendar).isoweekday()
        return any(
            (days is None or day in days) and _within(moment.time(), begin, end) for days, (begin, end) in self._rules
        )


def _within(moment: time, begin: time, end: time) -> bool:
    """begin is in, end is out; a window may pass midnight, and one that ends where it begins is the whole day."""
    if begin < end:
        return begin <= moment < end
    return moment >= begin or moment < end


def _hours(value: object) -> Iterator[_Hours]:
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    for text in texts:
        try:
            begin, end = (datetime.strptime(part.strip(), "%H:%M").time() for part in text.split("-"))  # noqa: DTZ007
        except (ValueError, AttributeError):
            continue
        yield begin, end


def _weekdays(value: object) -> frozenset[int] | None:
    """None = every day."""
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str):
        return frozenset()
    return frozenset(_DAYS.get(day.strip().lower()[:3], 0) if isinstance(day, str) else day for day in value)


def _calendar(name: object) -> tzinfo:
    try:
        return ZoneInfo(name.strip()) if isinstance(name, str) and name.strip() else UTC
    except (ValueError, OSError, KeyError):
        return UTC
