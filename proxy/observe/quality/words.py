"""Words of a text, in lower case. Pure; about a tenth of the time of a regular expression for texts in ASCII."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LETTERS: Final = "".join(char if char.isalpha() or char == "'" else " " for char in map(chr, range(128)))


def words_of(lowered: str) -> list[str]:
    """In order; an apostrophe between letters belongs to its word. lowered: in lower case."""
    if not lowered.isascii():
        return _WORD.findall(lowered)
    pieces = lowered.translate(_LETTERS).split()
    if "'" not in lowered:
        return pieces
    words: list[str] = []
    for piece in pieces:
        if "'" in piece:
            words += _WORD.findall(piece)
        else:
            words.append(piece)
    return words
