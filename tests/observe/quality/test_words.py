"""Words: the quick way says the same as the expression."""

from __future__ import annotations

import re

import pytest

from proxy.observe.quality.words import words_of

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "don't stop", "'tis the dogs' rock'n'roll''s end'", "a1b2_c", "x'", "'", "tab\tand\x00nul\x7f",
        "it’s naïve, él", "日本語 and words", "\ud800 lone", "a-b c/d <e> f@g",
    ],
)  # fmt: skip
def test_same_words(text: str) -> None:
    assert words_of(text.lower()) == WORD.findall(text.lower())
