"""Calls as a table for people: columns as wide as what they hold, cut to the terminal. No I/O here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from proxy.core.call import CallRecord
from proxy.core.money import to_usd

UNKNOWN: Final = "-"
_GAP: Final = "  "
_NARROWEST: Final = 8  # columns that give way keep so much
_MARKED: Final = frozenset({"counted", "estimated"})
_COST_MARKS: Final = {"counted": ">", "estimated": "~"}  # at least so much; about so much


class Column(NamedTuple):
    """One column. gives_way: is cut when the line is too long for the terminal."""

    title: str
    text: Callable[[CallRecord], str]
    right: bool = False
    gives_way: bool = False


class CallTable:
    """Lines of a table that may go on: columns only ever grow, so that what follows stays aligned."""

    def __init__(self, *, width: int | None, timezone: tzinfo | None = None) -> None:
        """width: characters of the terminal; None = lines are not cut. timezone: of the times; None = the machine's."""
        self._width = width
        self._columns = _columns(timezone)
        self._widths = [len(column.title) for column in self._columns]
        self._has_title = False

    def lines(self, records: Iterable[CallRecord]) -> Iterator[str]:
        """A line a record; before the first of all, the titles."""
        rows = [[printable(column.text(record)) for column in self._columns] for record in records]
        for row in rows:
            self._widths = [max(width, len(text)) for width, text in zip(self._widths, row, strict=True)]
        widths = self._fitted()
        if rows and not self._has_title:
            self._has_title = True
            yield self._line([column.title for column in self._columns], widths)
        yield from (self._line(row, widths) for row in rows)

    def _fitted(self) -> list[int]:
        """Widths within the terminal: the widest column that gives way loses first."""
        widths = list(self._widths)
        if self._width is None:
            return widths
        elastic = [place for place, column in enumerate(self._columns) if column.gives_way]
        while sum(widths) + len(_GAP) * (len(widths) - 1) > self._width:
            widest = max(elastic, key=lambda place: widths[place])
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
        return widths

    def _line(self, texts: list[str], widths: list[int]) -> str:
        cells = [
            _cut(text, width).rjust(width) if column.right else _cut(text, width).ljust(width)
            for column, text, width in zip(self._columns, texts, widths, strict=True)
        ]
        line = _GAP.join(cells).rstrip()
        return line if self._width is None else _cut(line, self._width)


def _columns(timezone: tzinfo | None) -> list[Column]:
    return [
        Column("STARTED", lambda call: _local_time(call.started_unix_ns, timezone)),
        Column("OUTCOME", lambda call: call.outcome),
        Column("STATUS", lambda call: _or_dash(call.status), right=True),
        Column("ROUTE", lambda call: call.route, gives_way=True),
        Column("MODEL", lambda call: call.model or UNKNOWN, gives_way=True),
        Column("IN", lambda call: _tokens(call.prompt_tokens, call), right=True),
        Column("OUT", lambda call: _tokens(call.completion_tokens, call), right=True),
        Column("COST", _cost, right=True),
        Column("FIRST", lambda call: _seconds(call.first_token_s), right=True),
        Column("TOOK", lambda call: _seconds(call.duration_s), right=True),
        Column("CLIENT", lambda call: call.client or UNKNOWN, gives_way=True),
    ]


def _local_time(unix_ns: int, timezone: tzinfo | None) -> str:
    try:
        return datetime.fromtimestamp(unix_ns // 10**9, timezone).strftime("%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def _tokens(count: int | None, call: CallRecord) -> str:
    if count is None:
        return UNKNOWN
    return f"~{count}" if call.tokens_source in _MARKED else str(count)


def _cost(call: CallRecord) -> str:
    mark = _COST_MARKS.get(call.tokens_source, "") if call.cost_nanousd is not None else ""
    return f"{mark}{_money(call.cost_nanousd)}"


def _money(nanousd: int | None) -> str:
    if nanousd is None:
        return UNKNOWN
    usd = to_usd(nanousd)
    return f"${usd:.2f}" if usd == 0 or usd >= 100 else f"${usd:.6f}" if usd >= 1e-4 else f"${usd:.2g}"


def _seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value * 1000:.0f}ms" if value < 1 else f"{value:.2f}s" if value < 100 else f"{value:.0f}s"


def _or_dash(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def printable(text: str) -> str:
    """Names come from clients: nothing that moves a terminal's cursor."""
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "\N{MIDDLE DOT}" for sign in text)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
