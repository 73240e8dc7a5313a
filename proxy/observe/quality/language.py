"""Language: which one a text is in, by its script or its commonest words. Pure; a few microseconds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

_LANGUAGES: Final = {
    "en": "the of and to is that it for you with are this be not have what how was by your i my a in",
    "fr": "le la les des et est une du que pour dans sur vous ne pas au avec ce qui sont je nous un de",
    "it": "il di che è la per un una del della sono con non si gli le nel come da alla questo più e",
    "de": "der die das und ist nicht ein eine zu den mit von auf für sie ich im des dem auch es wie",
    "es": "el los las que es una por para con no se lo como más su al del y en la de un está",
    "pt": "o os uma que não para com por se mais do da em no na é dos das você como ao e um de",
    "nl": "de het een en van is dat niet op te zijn voor met die er aan je ik wat ook bij om",
    "pl": "i w na z się nie że do jest to o jak dla od po za co ale czy są przez lub",
    "tr": "ve bir bu için ile de da ne gibi daha çok olarak en var olan mı değil ya",
}  # fmt: skip
_NAMES: Final = tuple(_LANGUAGES)
_SPOKEN_IN: Final[dict[str, list[int]]] = {}  # word -> places in _NAMES
for _place, _words in enumerate(_LANGUAGES.values()):
    for _word in _words.split():
        _SPOKEN_IN.setdefault(_word, []).append(_place)
_SCRIPTS: Final = re.compile(
    r"(?P<cyrillic>[\u0400-\u04ff])|(?P<greek>[\u0370-\u03ff])|(?P<arabic>[\u0600-\u06ff])|(?P<hebrew>[\u0590-\u05ff])"
    r"|(?P<thai>[\u0e00-\u0e7f])|(?P<devanagari>[\u0900-\u097f])|(?P<hangul>[\uac00-\ud7af])|(?P<kana>[\u3040-\u30ff])"
    r"|(?P<han>[\u4e00-\u9fff])"
)
_LOOK: Final = 400  # characters
_OF_A_SCRIPT: Final = 0.3  # of the characters, spaces included
_FEW_WORDS: Final = 8


def language_of(text: str, words: Counter[str]) -> str | None:
    """A script, or the language whose function words are most; None = cannot be told."""
    head = text[:_LOOK]
    if len(head) - len(head.encode("ascii", "ignore")) > _OF_A_SCRIPT * len(head):
        scripts = Counter(found.lastgroup for found in _SCRIPTS.finditer(head))
        if scripts:
            script, count = scripts.most_common(1)[0]
            if count > _OF_A_SCRIPT * len(head):
                return "han" if script == "kana" else script
    hits = [0] * len(_NAMES)
    for word in _SPOKEN_IN.keys() & words.keys():
        for place in _SPOKEN_IN[word]:
            hits[place] += words[word]
    *_, second, most = sorted(hits)
    if most < max(0.12 * words.total(), 1.2 * second, 1):
        return None
    return _NAMES[hits.index(most)]


def other_language(text: str, words: Counter[str], prompt: str, prompt_words: Sequence[str]) -> bool:
    """Whether an answer is in another one than its prompt; False where that cannot be told."""
    if words.total() < _FEW_WORDS and text.isascii():
        return False
    asked = language_of(prompt, Counter(prompt_words))
    if asked is None:
        return False
    spoken = language_of(text, words)
    return spoken is not None and asked != spoken
