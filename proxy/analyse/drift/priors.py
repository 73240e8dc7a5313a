"""Priors: how far each signal moves, in standard deviations, when one model takes the place of another.

Root mean squares over changes of model (siblings, versions, templates), rounded. They only say where evidence is sought
first: a wrong one makes a change found later, never a false alarm.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.observe.quality.signals import NAMES

_MOVES: Final[tuple[tuple[float, str], ...]] = (
    (0.38, "repeated_trigrams"),
    (0.36, "compression"),
    (0.32, "log_chars chars_per_token prompt_token_ratio logprob reasoning_share strange_bytes"),
    (0.32, "strange_grams"),
    (0.3, "log_words"),
    (0.28, "once_words"),
    (0.27, "distinct_words"),
    (0.26, "paragraphs"),
    (0.25, "exclamations"),
    (0.21, "closing_offer"),
    (0.2, "function_words"),
    (0.19, "numbered prompt_opening apostrophes"),
    (0.18, "colons"),
    (0.16, "word_chars"),
    (0.15, "newlines word_that word_if"),
    (0.14, "line_words word_you"),
    (0.13, "dashes word_of word_i"),
    (0.12, "sentence_words prompt_overlap word_the word_to word_also"),
    (0.11, "bold opens_plain prompt_echo spaces word_be word_your word_have word_such"),
    (0.1, "brackets capitals word_is word_on word_as word_this word_or"),
    (0.09, "commas digits word_may"),
    (0.08, "stops vowels word_and word_in word_it word_are word_not word_which word_these"),
    (0.07, "question_marks word_from word_an word_but"),
    (0.06, "opens_eager word_by word_its word_more"),
    (0.05, "bullets headings tables code_fences opens_self opens_here opens_marked ends_stop ends_question"),
    (0.05, "ends_word semicolons quotes stars code_marks not_ascii word_a word_for word_with word_can"),
    (0.05, "word_will word_their word_they word_we word_was word_has tool_calls"),
)
_BY_NAME: Final = {name: move for move, names in _MOVES for name in names.split()}
_UNKNOWN: Final = 0.1

# Variance of the move of each signal, in the order of NAMES.
MOVES: Final[npt.NDArray[Any]] = np.array([_BY_NAME.get(name, _UNKNOWN) ** 2 for name in NAMES])
