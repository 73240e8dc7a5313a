"""Figures of all trials as the Markdown table that the targets are written in, and one of each class. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from bench.drift import intervals
from bench.drift.faults import FAULTS, PROMPT_CHANGES
from bench.drift.traffic import KINDS
from bench.drift.trial import Calm, Found

_LOOKS: Final = (200, 500, 1000)
_NEVER: Final = math.inf

_Figures = TypeVar("_Figures", Calm, Found)
Cell = Callable[[list[Calm], list[Found]], str]


def _share_within(found: Sequence[Found], within: int) -> str:
    hits = sum(one.delay is not None and one.delay <= within for one in found)
    low, high = intervals.wilson(hits, len(found))
    return f"{_percent(hits, len(found))} [{100 * low:.0f}–{100 * high:.0f}]"


def _percent(hits: int, tries: int) -> str:
    return f"{100 * hits / tries:.0f} %" if tries else "–"


def _median(found: Sequence[Found]) -> str:
    delays = sorted(_NEVER if one.delay is None else one.delay for one in found)
    if not delays:
        return "–"
    low, high = intervals.median_range(delays)
    return f"{_answers(delays[(len(delays) - 1) // 2])} [{_answers(low)}–{_answers(high)}]"


def _answers(value: float) -> str:
    return "never" if value == _NEVER else f"{value:.0f}"


def _rate(calm: Sequence[Calm]) -> str:
    """Alarms per 10,000 answers, those named input included."""
    answers = sum(one.answers for one in calm)
    alarms = sum(one.alarms + one.inputs for one in calm)
    if not answers:
        return "–"
    low, high = (10_000 * bound / answers for bound in intervals.poisson(alarms))
    inputs = sum(one.inputs for one in calm)
    return f"{10_000 * alarms / answers:.2f} [{low:.2f}–{high:.2f}]" + (
        f", {inputs} of {alarms} input" if inputs else ""
    )


def _mean_over_classes(found: Sequence[Found]) -> str:
    names = sorted({one.fault for one in found} & {fault.name for fault in FAULTS})
    means = []
    for within in _LOOKS:
        shares = []
        for name in names:
            delays = [one.delay for one in found if one.fault == name]
            shares.append(sum(delay is not None and delay <= within for delay in delays) / len(delays))
        means.append(sum(shares) / len(shares) if shares else math.nan)
    return " / ".join(f"{mean:.2f}" for mean in means) + f" ({len(names)} classes)"


def _wrong(found: Sequence[Found]) -> str:
    return _share_within(found, 1000)


def _named_input(found: Sequence[Found]) -> str:
    hits = sum(one.input_delay is not None for one in found)
    low, high = intervals.wilson(hits, len(found))
    return f"{_percent(hits, len(found))} [{100 * low:.0f}–{100 * high:.0f}]"


def _rows(found: list[Found], *rows: str) -> list[Found]:
    return [one for one in found if one.row in rows]


def _named(found: list[Found], name: str) -> list[Found]:
    return [one for one in found if one.fault == name]


_TABLE: Final[tuple[tuple[str, str, Cell], ...]] = (
    ("false alarms per 10,000 answers", "<= 0.5", lambda calm, _: _rate(calm)),
    *((f"… {kind}", "<= 1" if kind == "bursty" else "<= 0.5",
       lambda calm, _, kind=kind: _rate([one for one in calm if one.traffic == kind])) for kind in KINDS),
    ("wrong alarm when only the prompts change", "<= 10 %", lambda _, f: _wrong(_rows(f, "prompts"))),
    ("… named `input`", ">= 95 %", lambda _, f: _named_input(_rows(f, "prompts"))),
    ("found within 200 / 500 / 1000, mean of classes", ">= .75 / .88 / .93", lambda _, f: _mean_over_classes(f)),
    ("faults in >= 10 % of answers, median", "<= 25", lambda _, f: _median(_rows(f, "hard"))),
    ("shares of 2-5 %, within 500", ">= 75 %", lambda _, f: _share_within(_rows(f, "shares"), 500)),
    ("truncation, median", "<= 10", lambda _, f: _median(_rows(f, "truncation"))),
    ("lost context, median", "<= 15", lambda _, f: _median(_rows(f, "lost"))),
    ("other model, median", "<= 40", lambda _, f: _median(_rows(f, "swap"))),
    ("other template, median", "<= 60", lambda _, f: _median(_rows(f, "template"))),
    ("vendor's new version, within 500", "100 %", lambda _, f: _share_within(_named(f, "vendor's update"), 500)),
    ("… new versions of chat models, within 500", "100 %", lambda _, f: _share_within(_named(f, "new version"), 500)),
    ("smaller sibling, within 500", ">= 97 %", lambda _, f: _share_within(_rows(f, "sibling"), 500)),
    ("30 % of traffic to a sibling, within 1000", ">= 45 %", lambda _, f: _share_within(_rows(f, "mixed"), 1000)),
    ("sampled to greedy, within 500", "", lambda _, f: _share_within(_rows(f, "greedy"), 500)),
    ("word noise, within 500", "", lambda _, f: _share_within(_rows(f, "noise"), 500)),
    ("latency x 1.5, creeping to x 2, x 3: within 500", "100 %", lambda _, f: _share_within(_rows(f, "latency"), 500)),
    ("… median", "<= 120", lambda _, f: _median(_rows(f, "latency"))),
    ("nearly the same weights, within 1000", "(no need)", lambda _, f: _share_within(_rows(f, "near"), 1000)),
)  # fmt: skip


def main_table(calm: Sequence[Calm], found: Sequence[Found], contenders: Sequence[str]) -> str:
    """The rows of the targets, a column a contender; [95 % interval]."""
    lines = [f"| | to reach | {' | '.join(contenders)} |", "| --- | --- |" + " --- |" * len(contenders)]
    for name, target, cell in _TABLE:
        cells = [cell(_of(calm, who), _of(found, who)) for who in contenders]
        lines.append(f"| {name} | {target} | {' | '.join(cells)} |")
    return "\n".join(lines)


def class_table(found: Sequence[Found], contender: str) -> str:
    """Each class: how often found when, how late, and by which signals."""
    lines = [
        "| class | streams | 200 | 500 | 1000 | median | first `input` | kinds | signals |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    ours = _of(found, contender)
    for name in dict.fromkeys([fault.name for fault in (*FAULTS, *PROMPT_CHANGES)] + [one.fault for one in ours]):
        of_class = _named(ours, name)
        if not of_class:
            continue
        looks = " | ".join(_share_within(of_class, within) for within in _LOOKS)
        early = sum(one.input_delay is not None and one.input_delay <= (one.delay or math.inf) for one in of_class)
        kinds = _most(one.kind for one in of_class if one.kind)
        signals = _most(signal for one in of_class for signal in one.signals[:3])
        lines.append(f"| {name} | {len(of_class)} | {looks} | {_median(of_class)} | {early} | {kinds} | {signals} |")
    return "\n".join(lines)


def misses(found: Sequence[Found], contender: str, *, within: int = 500) -> str:
    """Pairs of models of which a change was missed, with how often."""
    missed = Counter(
        f"{one.fault}: {one.before} -> {one.after} ({one.traffic})"
        for one in _of(found, contender)
        if one.row in ("swap", "template", "version", "sibling", "greedy") and (one.delay is None or one.delay > within)
    )
    return "\n".join(f"- {count}x {what}" for what, count in missed.most_common(40))


def false_alarms(calm: Sequence[Calm], contender: str) -> str:
    """Where each false alarm was, and what it named."""
    return "\n".join(
        f"- {one.world} {one.model} ({one.traffic}): {signal}" for one in _of(calm, contender) for signal in one.signals
    )


def _most(names: Iterable[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in Counter(names).most_common(4))


def _of(figures: Sequence[_Figures], contender: str) -> list[_Figures]:
    return [one for one in figures if one.contender == contender]
