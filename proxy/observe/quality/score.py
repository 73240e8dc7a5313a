"""The quality score: a fixed mix of named parts, each in [0, 1]. Reads the form of an answer, never its truth. Pure.

Weights and what they were measured on: docs/quality.md. A part that is not known is left out, and the others fill in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from proxy.observe.quality.answered import Answered
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
_BROKEN: Final = frozenset({"loop", "leak", "mojibake", "language", "wrong_language"})
_MISSING: Final = frozenset({"empty", "refusal"})
_SLOW_TOKENS_PER_S: Final = 2.0
_FAST_TOKENS_PER_S: Final = 80.0
_TIMED_TOKENS: Final = 16  # below, the wait for the first token is nearly all


class Scored(msgspec.Struct, frozen=True):
    """Score of one answer, in [0, 1], and what it is made of; parts of the user's scorers are among them."""

    quality: float
    parts: dict[str, float]


def score(answered: Answered, scorers: Sequence[Guarded] = ()) -> Scored:
    """The score. An answer without a word is 0, whatever else."""
    parts = {name: part for name, of in _PARTS.items() if (part := of(answered)) is not None}
    weights = WEIGHTS
    if scorers:
        own = {scorer.name: part for scorer in scorers if (part := scorer.score(answered)) is not None}
        weights = WEIGHTS | {scorer.name: scorer.weight for scorer in scorers}
        parts |= own
    if answered.form.words == 0 and not answered.response.strip():
        return Scored(0.0, parts)
    total = sum(weights[name] for name in parts)
    return Scored(sum(weights[name] * part for name, part in parts.items()) / total, parts)


def _length(answered: Answered) -> float:
    """Up to 350 words more is better, ever less so; beyond it earns nothing."""
    return min(math.log1p(answered.form.words) / _LOG_ENOUGH_WORDS, 1.0)


def _format(answered: Answered) -> float:
    """Emphasis, lists, headings, lines; where JSON was asked for, whether it is JSON."""
    if answered.json_asked:
        return float("json" not in answered.faults and _is_json(answered.response))
    form = answered.form
    return min(math.log1p(form.marks + form.lines / 4) / _LOG_ENOUGH_MARKS, 1.0)


def _vocabulary(answered: Answered) -> float:
    """Variety of words, freed from length: of k words of plain English about k**-0.105 are distinct."""
    form = answered.form
    if form.words < _FEW_WORDS:
        return 0.0
    return _within(form.distinct * max(form.distinct_of, 10) ** 0.105, 0.85, 1.30)


def _wording(answered: Answered) -> float:
    """Long words rather than short ones."""
    return _within(answered.form.word_length, 3.8, 5.5) if answered.form.words >= _FEW_WORDS else 0.0


def _phrasing(answered: Answered) -> float:
    """Sentences with clauses and enumerations, as commas tell."""
    return min(answered.form.commas / 0.1, 1.0)


def _coherence(answered: Answered) -> float:
    """Nothing said again and again; no debris of templates or broken characters."""
    form = answered.form
    if form.words == 0 or _BROKEN & answered.faults:
        return 0.0
    return min(1.0 - _within(form.repeated, 0.0, 0.25), 1.0 - _within(form.tail_repeated, 0.5, 0.8))


def _completeness(answered: Answered) -> float:
    """An answer at all, neither refused nor cut."""
    if answered.form.words == 0 or answered.form.refusing or _MISSING & answered.faults:
        return 0.0
    if answered.finish_reason == "length":
        return 0.3
    return 0.5 if answered.form.cut else 1.0


def _directness(answered: Answered) -> float:
    """Of the matter rather than of itself: few `I`."""
    return 1.0 - _within(answered.form.first_person, 0.0, 0.05)


def _latency(answered: Answered) -> float | None:
    """Tokens a second over all of the answer's time, from 2 to 80 on a log scale; None where not known."""
    tokens, latency_s = answered.completion_tokens, answered.latency_s
    if tokens is None or tokens < _TIMED_TOKENS or latency_s is None or latency_s <= 0:
        return None
    pace = math.log(tokens / latency_s / _SLOW_TOKENS_PER_S) / math.log(_FAST_TOKENS_PER_S / _SLOW_TOKENS_PER_S)
    return min(max(pace, 0.0), 1.0)


_LOG_ENOUGH_WORDS: Final = math.log1p(350)
_LOG_ENOUGH_MARKS: Final = math.log1p(50)
_PARTS: Final[dict[str, Callable[[Answered], float | None]]] = {
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


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return True
