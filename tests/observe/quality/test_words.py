"""Words: the quick way says the same as the expression."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.quality.words import words_of

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def by_expression(text: str) -> list[str]:
    return WORD.findall(text.lower().replace("’", "'"))


def words(text: str) -> list[str]:
    return words_of(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "don't stop", "'tis the dogs' rock'n'roll''s end'", "a1b2_c", "x'", "'", "tab\tand\x00nul\x7f",
        "it’s naïve, él", "日本語 and words", "\ud800 lone", "a-b c/d <e> f@g", "a'b'c'd'e",
        "“Ça va ?” — dit‑elle… ½ ² ٣",
        "".join(map(chr, range(0x2000, 0x2100))) + " many signs’ sakes",
    ],
)  # fmt: skip
def test_same_words(text: str) -> None:
    assert words(text) == by_expression(text)


@given(st.text(alphabet="aBé'’ -1_—\u00a0\n日²", max_size=40))
def test_same_words_in_any_mix(text: str) -> None:
    assert words(text) == by_expression(text)
