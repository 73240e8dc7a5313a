"""The quality score: a fixed mix of named parts, each in [0, 1]. Reads the form of an answer, never its truth. Pure.

Weights and what they were measured on: docs/quality.md. A part that is not known is left out, and the others fill in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from proxy.observe.quality.answered import Answered
from proxy.observe.quality.form import Form, form_of
from proxy.observe.quality.scorers import Guarded

# Published: a change of one is a new version of the score. They sum to 1.
WEIGHTS: Final[dict[str, float]] = {
    "length": 0.15,
    "format": 0.10,
    "vocabulary": 0.12,
    "wording": 0.13,
    "phrasing": 0.10,
    "coherence": 0.12,
    "completeness": 0.17,
    "directness": 0.08,
    "latency": 0.03,
}
VERSION: Final = 1

_FEW_WORDS: Final = 5  # below, variety and length of words say nothing good
_DEBRIS: Final = frozenset({"loop", "leak", "mojibake", "language"})
_MISSING: Final = frozenset({"empty", "refusal", "tools"})
_SLOW_TOKENS_PER_S: Final = 2.0
_FAST_TOKENS_PER_S: Final = 80.0
_TIMED_TOKENS: Final = 16  # below, the wait for the first token is nearly all


class Scored(msgspec.Struct, frozen=True):
    """Score of one answer, in [0, 1], and what it is made of; parts of the user's scorers are among them."""

    quality: float
    parts: dict[str, float]


def score(answered: Answered, scorers: Sequence[Guarded] = ()) -> Scored | None:
    """The score; None when the answer only calls tools. An answer with nothing in it is 0, whatever else."""
    form = form_of(answered.answer, answered.signals)
    if answered.answer.tool_calls and form.words < 1:
        return None
    parts = {name: part for name, of in _PARTS.items() if (part := of(answered, form)) is not None}
    weights = WEIGHTS
    if scorers:
        parts |= {scorer.name: part for scorer in scorers if (part := scorer.score(answered)) is not None}
        weights = WEIGHTS | {scorer.name: scorer.weight for scorer in scorers}
    if "empty" in answered.faults:
        return Scored(0.0, parts)
    total = sum(weights[name] for name in parts)
    return Scored(sum(weights[name] * part for name, part in parts.items()) / total, parts)


def _length(_: Answered, form: Form) -> float:
    """Up to 350 words more is better, ever less so; beyond it earns nothing."""
    return min(math.log1p(form.words) / _LOG_ENOUGH_WORDS, 1.0)


def _format(answered: Answered, form: Form) -> float:
    """Emphasis, lists, headings, lines; where JSON was asked for, whether it is JSON."""
    if answered.answer.json_asked:
        return float("json" not in answered.faults)
    return min(math.log1p(form.marks + form.lines / 4) / _LOG_ENOUGH_MARKS, 1.0)


def _vocabulary(_: Answered, form: Form) -> float:
    """Variety of words, freed from length."""
    return _within(form.distinct, 0.85, 1.30) if form.words >= _FEW_WORDS else 0.0


def _wording(_: Answered, form: Form) -> float:
    """Long words rather than short ones."""
    return _within(form.word_chars, 3.8, 5.5) if form.words >= _FEW_WORDS else 0.0


def _phrasing(_: Answered, form: Form) -> float:
    """Sentences with clauses and enumerations, as commas tell."""
    return min(form.commas / 0.1, 1.0)


def _coherence(answered: Answered, form: Form) -> float:
    """Nothing said again and again; no debris of templates or broken characters."""
    if _DEBRIS & answered.faults:
        return 0.0
    return min(1.0 - _within(form.repeated, 0.0, 0.25), 1.0 - _within(form.tail_repeated, 0.5, 0.8))


def _completeness(answered: Answered, _: Form) -> float:
    """An answer at all, neither refused nor cut."""
    faults = answered.faults
    if _MISSING & faults:
        return 0.0
    if "truncated" in faults:
        return 0.3
    return 0.5 if "unended" in faults else 1.0


def _directness(_: Answered, form: Form) -> float:
    """Of the matter rather than of itself: few `I`."""
    return 1.0 - _within(form.first_person, 0.0, 0.05)


def _latency(answered: Answered, _: Form) -> float | None:
    """Tokens a second over all of the answer's time, from 2 to 80 on a log scale; None where not known."""
    tokens, latency_s = answered.answer.completion_tokens, answered.latency_s
    if tokens is None or tokens < _TIMED_TOKENS or latency_s is None or latency_s <= 0:
        return None
    pace = math.log(tokens / latency_s / _SLOW_TOKENS_PER_S) / math.log(_FAST_TOKENS_PER_S / _SLOW_TOKENS_PER_S)
    return min(max(pace, 0.0), 1.0)


_LOG_ENOUGH_WORDS: Final = math.log1p(350)
_LOG_ENOUGH_MARKS: Final = math.log1p(50)
_PARTS: Final[dict[str, Callable[[Answered, Form], float | None]]] = {
    "length": _length,
    "format": _format,
    "vocabulary": _vocabulary,
    "wording": _wording,
    "phrasing": _phrasing,
    "coherence": _coherence,
    "completeness": _completeness,
    "directness": _directness,
    "latency": _latency,
}


def _within(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
