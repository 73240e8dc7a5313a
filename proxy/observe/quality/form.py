"""Form: what the built-in score reads of an answer, in plain counts. Made of its signals, so that it costs little."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from proxy.observe.quality.answer import Answer
from proxy.observe.quality.signals import PLACE, Signals

_TAIL_CHARACTERS: Final = 400
_TAIL_WORDS: Final = 60


class Form(msgspec.Struct, frozen=True, gc=False):
    """Of the first 3,000 characters. Shares are 0 where there are no words."""

    words: float
    distinct: float  # distinct words among the first 200, freed from how many these are: k words have about k**0.9
    word_chars: float  # mean
    commas: float  # a word
    first_person: float  # `I`, a word
    repeated: float  # share of trigrams of words that were there before
    tail_repeated: float  # share of words that were there before, among the last 60
    marks: float  # pairs of ** count twice; list items and headings
    lines: float


def form_of(answer: Answer, signals: Signals) -> Form:
    """The counts behind the signals."""
    values = signals.features.tolist()
    words = math.expm1(values[_WORDS])
    bytes_a_word = len(signals.answer_bytes) / max(words, 1.0)
    return Form(
        words=words,
        distinct=values[_DISTINCT],
        word_chars=values[_WORD_CHARS],
        commas=values[_COMMAS] ** 2 * bytes_a_word,
        first_person=values[_FIRST_PERSON],
        repeated=values[_REPEATED],
        tail_repeated=_tail_repeated(answer.response),
        marks=sum(map(math.expm1, (values[place] for place in _MARKS))),
        lines=values[_NEWLINES] ** 2 * len(signals.answer_bytes),
    )


def _tail_repeated(text: str) -> float:
    words = text[-_TAIL_CHARACTERS:].lower().split()[-_TAIL_WORDS:]
    return 1.0 - len(set(words)) / len(words) if words else 0.0


_WORDS: Final = PLACE["log_words"]
_DISTINCT: Final = PLACE["distinct_words"]
_WORD_CHARS: Final = PLACE["word_chars"]
_COMMAS: Final = PLACE["commas"]
_FIRST_PERSON: Final = PLACE["word_i"]
_REPEATED: Final = PLACE["repeated_trigrams"]
_MARKS: Final = tuple(PLACE[name] for name in ("bold", "bullets", "numbered", "headings"))
_NEWLINES: Final = PLACE["newlines"]
