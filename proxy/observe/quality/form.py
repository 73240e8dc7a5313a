"""Form: what the built-in score counts in a text. Pure; looks at the first 3,000 characters and at the last 400."""

from __future__ import annotations

import re
from typing import Final

import msgspec

HEAD_CHARACTERS: Final = 3000  # some 500 words: beyond, length earns nothing
_TAIL_CHARACTERS: Final = 400
_TAIL_WORDS: Final = 60
_REFUSAL_CHARACTERS: Final = 300  # a refusal begins with it
_VARIED_WORDS: Final = 200
_LONG_LINE: Final = 40

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t]|^#{1,6} ", re.MULTILINE)
_REFUSAL: Final = re.compile(
    r"\b(?:i['’]?m sorry|i am sorry|i apologi[sz]e|i can(?:no|['’])t|i am unable|i['’]m unable|as an ai|i am just an ai"
    r"|i do(?: not|n['’]t) have (?:access|the ability|personal)|not able to)\b"
)
_FIRST_PERSON: Final = ("i", "i'm", "i've", "i'll", "i’m", "i’ve", "i’ll")
_OPEN_ENDS: Final = frozenset(",;-(")


class Form(msgspec.Struct, frozen=True, gc=False):
    """Counts of one text. Shares are 0 where there are no words."""

    words: int  # in the head
    distinct: float  # share of distinct words among the first 200
    distinct_of: int  # how many words that share is of
    word_length: float  # mean, characters
    commas: float  # a word
    first_person: float  # a word
    repeated: float  # share of trigrams of words that were there before
    tail_repeated: float  # share of words that were there before, among the last 60
    marks: int  # pairs of **, list items and headings
    lines: int
    refusing: bool
    cut: bool  # ends in mid-sentence


def form_of(text: str) -> Form:
    """What is counted in a text. Takes bounded time, whatever its length."""
    head = text[:HEAD_CHARACTERS].lower()
    words = _WORD.findall(head)
    count = len(words) or 1
    some = min(len(words), _VARIED_WORDS)
    trigrams = max(len(words) - 2, 0)
    return Form(
        words=len(words),
        distinct=len(set(words[:_VARIED_WORDS])) / some if some else 0.0,
        distinct_of=some,
        word_length=sum(map(len, words)) / count,
        commas=head.count(",") / count,
        first_person=sum(map(words.count, _FIRST_PERSON)) / count,
        repeated=1.0 - len(set(zip(words, words[1:], words[2:], strict=False))) / trigrams if trigrams else 0.0,
        tail_repeated=_tail_repeated(text),
        marks=head.count("**") + len(_ITEM.findall(head)),
        lines=head.count("\n"),
        refusing=_REFUSAL.search(head, 0, _REFUSAL_CHARACTERS) is not None,
        cut=_cut(text),
    )


def _tail_repeated(text: str) -> float:
    words = text[-_TAIL_CHARACTERS:].lower().split()[-_TAIL_WORDS:]
    return 1.0 - len(set(words)) / len(words) if words else 0.0


def _cut(text: str) -> bool:
    """Whether a text of some length stops inside of a line of words; code may end as it likes."""
    tail = text[-_TAIL_CHARACTERS:].rstrip()
    line = tail[tail.rfind("\n") + 1 :]
    if len(text) < _TAIL_CHARACTERS or len(line) < _LONG_LINE or "```" in tail:
        return False
    return line[-1].isalnum() or line[-1] in _OPEN_ENDS
