"""Service levels: alerts on how fast the part of calls that may go wrong is used up.

An objective of 0.99 allows 1 bad call of 100 over 30 days. Burning with factor 14.4 uses a fiftieth of that in an hour.
A pair of windows must agree: the long one says that it matters, the short one that it still goes on.
Source: the SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from proxy.cli.rules.rule import Alert, Group, Recorded, Severity, number, window
from proxy.core.config import Objectives
from proxy.core.outcomes import FAULTS, OUTCOMES
from proxy.observe import definitions as d
from proxy.observe.families import Family

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_SLOW_S: Final = 6 * _HOUR  # windows longer than this are worked out every 2 minutes only
_SLOW_INTERVAL_S: Final = 120.0  # below the 5 minutes after which Prometheus takes a series for gone

_SERVED: Final = "|".join(word for word in OUTCOMES if word not in ("refused", "rejected", "client_gone"))
_FAULTY: Final = "|".join(word for word in OUTCOMES if word in FAULTS)
_GOOD: Final = "ok|cached"


class Pair(msgspec.Struct, frozen=True):
    """A long and a short window, and how much faster than allowed it must burn in both."""

    severity: Severity
    long_s: float
    short_s: float
    factor: float


PAIRS: Final = (
    Pair("page", _HOUR, 5 * _MINUTE, 14.4),  # 2 % of the 30 days' allowance
    Pair("page", 6 * _HOUR, 30 * _MINUTE, 6),  # 5 %
    Pair("ticket", _DAY, 2 * _HOUR, 3),  # 10 %
    Pair("ticket", 3 * _DAY, 6 * _HOUR, 1),  # 10 %
)


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One service level. `bad` and `all_calls` are rates, templates of `{window}`; `share` is how many must be good."""

    name: str  # of the alerts
    series: str  # of what is recorded
    share: float
    bad: str
    all_calls: str
    means: str  # "of calls failed": what a ratio of bad ones says

    @property
    def allowed(self) -> Decimal:
        """Share of calls that may be bad."""
        return 1 - Decimal(str(self.share))


def levels(objectives: Objectives) -> tuple[Level, ...]:
    """The service levels that the settings hold."""
    outcomes, first_token, duration = d.OUTCOMES_TOTAL.name, d.FIRST_TOKEN.name, d.DURATION.name
    all_calls = f'sum by (job) (rate({outcomes}{{{{outcome=~"{_SERVED}"}}}}[{{window}}]))'
    good = f'outcome=~"{_GOOD}"'
    return (
        Level(
            name="SightglassAvailability",
            series="sightglass:failed",
            share=objectives.availability,
            bad=f'sum by (job) (rate({outcomes}{{{{outcome=~"{_FAULTY}"}}}}[{{window}}]))',
            all_calls=all_calls,
            means="of calls failed",
        ),
        Level(
            name="SightglassFirstToken",
            series="sightglass:first_token_slow",
            share=objectives.first_token_share,
            bad=_slower(d.FIRST_TOKEN, objectives.first_token_s),
            all_calls=f"sum by (job) (rate({first_token}_count[{{window}}]))",
            means=f"of answers had no token within {number(objectives.first_token_s)} s",
        ),
        Level(
            name="SightglassDuration",
            series="sightglass:duration_slow",
            share=objectives.duration_share,
            bad=_slower(d.DURATION, objectives.duration_s, good),
            all_calls=f"sum by (job) (rate({duration}_count{{{{{good}}}}}[{{window}}]))",
            means=f"of calls took longer than {number(objectives.duration_s)} s",
        ),
    )


def burn_groups(objectives: Objectives, pairs: tuple[Pair, ...] = PAIRS) -> Iterator[Group]:
    """Of each level: what is recorded over short windows, over long ones, and the alerts."""
    for level in levels(objectives):
        fast = tuple(_recorded(level, pairs, slow=False))
        slow = tuple(_recorded(level, pairs, slow=True))
        alerts = tuple(_alerts(level, pairs, objectives.min_calls))
        yield Group(name=f"{level.name}-windows", rules=fast)
        if slow:
            yield Group(name=f"{level.name}-long-windows", rules=slow, interval_s=_SLOW_INTERVAL_S)
        yield Group(name=level.name, rules=alerts)


def unreachable(objectives: Objectives, pairs: tuple[Pair, ...] = PAIRS) -> Iterator[str]:
    """Pairs that can never fire, as even when every call is bad they do not burn so fast."""
    for level in levels(objectives):
        for pair in pairs:
            if not _reachable(level, pair):
                yield (
                    f"{level.name}: factor {number(pair.factor)} over {window(pair.long_s)} is left out:"
                    f" with an objective of {number(level.share)} nothing burns so fast"
                )


def _reachable(level: Level, pair: Pair) -> bool:
    return Decimal(str(pair.factor)) * level.allowed < 1


def _recorded(level: Level, pairs: tuple[Pair, ...], *, slow: bool) -> Iterator[Recorded]:
    both = {seconds for pair in pairs if _reachable(level, pair) for seconds in (pair.long_s, pair.short_s)}
    for seconds in sorted(seconds for seconds in both if (seconds > _SLOW_S) == slow):
        over = window(seconds)
        bad, all_calls = level.bad.format(window=over), level.all_calls.format(window=over)
        yield Recorded(record=_ratio(level, seconds), expr=f"{bad}\n/\n{all_calls}")
    for seconds in sorted({pair.long_s for pair in pairs if _reachable(level, pair)}):
        if (seconds > _SLOW_S) == slow:
            over = window(seconds)
            all_calls = level.all_calls.format(window=over)
            yield Recorded(record=_count(level, seconds), expr=f"{all_calls} * {number(seconds)}")


def _alerts(level: Level, pairs: tuple[Pair, ...], min_calls: int) -> Iterator[Alert]:
    for severity in ("page", "ticket"):
        mine = [pair for pair in pairs if pair.severity == severity and _reachable(level, pair)]
        if not mine:
            continue
        yield Alert(
            name=level.name,
            severity=mine[0].severity,
            expr="\nor\n".join(_burning(level, pair, min_calls) for pair in mine),
            summary=f"{{{{ $value | humanizePercentage }}}} {level.means}",
            description=f"The objective is {number(level.share * 100)} % good calls in 30 days. At this rate what may"
            f" go wrong in that time is used up {_how_soon(mine)}.",
        )


def _burning(level: Level, pair: Pair, min_calls: int) -> str:
    most = f"{number(pair.factor)} * {level.allowed}"
    return (
        f"(\n  {_ratio(level, pair.long_s)} > {most}\n"
        f"  and {_ratio(level, pair.short_s)} > {most}\n"
        f"  and {_count(level, pair.long_s)} >= {min_calls}\n)"
    )


def _how_soon(pairs: list[Pair]) -> str:
    days = 30 / min(pair.factor for pair in pairs)
    return f"within {number(round(days, 1))} days"


def _slower(family: Family, bound_s: float, *matchers: str) -> str:
    """Rate of values over a bound, which must be that of a bucket."""
    assert bound_s in family.buckets
    within = ",".join((*matchers, f'le="{float(bound_s)!r}"'))
    others = f"{{{{{','.join(matchers)}}}}}" if matchers else ""
    return (
        f"(\n  sum by (job) (rate({family.name}_count{others}[{{window}}]))\n"
        f"  - sum by (job) (rate({family.name}_bucket{{{{{within}}}}}[{{window}}]))\n)"
    )


def _ratio(level: Level, seconds: float) -> str:
    return f"{level.series}:ratio_rate{window(seconds)}"


def _count(level: Level, seconds: float) -> str:
    return f"{level.series}:calls{window(seconds)}"
