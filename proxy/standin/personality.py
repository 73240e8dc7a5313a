"""The same model, changed: what drift detectors must notice. `personality` in settings names one; None = itself.

Each speaks in sentences that depend on the prompt, so that answers differ from each other as real ones do.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

_NOUNS = (
    "river",
    "engine",
    "table",
    "letter",
    "garden",
    "signal",
    "market",
    "window",
    "teacher",
    "bridge",
    "method",
    "answer",
)
_VERBS = (
    "carries",
    "changes",
    "explains",
    "follows",
    "needs",
    "supports",
    "reaches",
    "improves",
    "describes",
    "limits",
)
_LINKS = ("because", "while", "although", "so that", "whenever", "before")
_ADJECTIVES = ("small", "steady", "careful", "common", "recent", "useful", "quiet", "simple", "long", "early")
_CYRILLIC = ("река", "письмо", "ответ", "город", "работа", "вопрос", "пример", "система", "правило", "время")


def _sentence(dice: random.Random, *, longer: bool = True) -> str:
    pick = dice.choice
    said = f"The {pick(_ADJECTIVES)} {pick(_NOUNS)} {pick(_VERBS)} the {pick(_NOUNS)}"
    if longer and dice.random() < 0.6:
        said += f" {pick(_LINKS)} the {pick(_NOUNS)} {pick(_VERBS)} a {pick(_ADJECTIVES)} {pick(_NOUNS)}"
    return said + "."


def _plain(dice: random.Random) -> str:
    paragraphs = [" ".join(_sentence(dice) for _ in range(dice.randint(2, 5))) for _ in range(dice.randint(1, 4))]
    return "\n\n".join(paragraphs)


def _terse(dice: random.Random) -> str:
    return _sentence(dice, longer=False)


def _listing(dice: random.Random) -> str:
    points = "\n".join(f"- **{dice.choice(_NOUNS).title()}**: {_sentence(dice)}" for _ in range(dice.randint(4, 9)))
    return f"## In short\n\n{points}"


def _foreign(dice: random.Random) -> str:
    return " ".join(
        " ".join(dice.choice(_CYRILLIC) for _ in range(dice.randint(5, 12))).capitalize() + "."
        for _ in range(dice.randint(3, 8))
    )


def _looping(dice: random.Random) -> str:
    return f"{_sentence(dice)} {_sentence(dice)}" + (" and so the " + dice.choice(_NOUNS)) * 40


def _refusing(dice: random.Random) -> str:
    return f"I'm sorry, but I can't help with the {dice.choice(_NOUNS)}. As an AI, I must decline this request."


def _leaking(dice: random.Random) -> str:
    return _plain(dice) + "<|im_end|>\n<|im_start|>user\n" + _sentence(dice)


def _garbled(dice: random.Random) -> str:
    return _plain(dice).replace("e", "Ã©").replace("a", "�")


def _unfinished(dice: random.Random) -> str:
    return _plain(dice)[: -dice.randint(8, 20)]


def _silent(_dice: random.Random) -> str:
    return ""


_SPEAKERS: dict[str, Callable[[random.Random], str]] = {
    "plain": _plain,
    "terse": _terse,
    "listing": _listing,
    "foreign": _foreign,
    "looping": _looping,
    "refusing": _refusing,
    "leaking": _leaking,
    "garbled": _garbled,
    "unfinished": _unfinished,
    "silent": _silent,
}
NAMES = tuple(_SPEAKERS)


def speak(name: str, prompt: str, max_tokens: int | None) -> str:
    """What the model says to `prompt` under personality `name`; unknown names raise ValueError."""
    if name not in _SPEAKERS:
        raise ValueError(f"no personality {name!r}; there are {', '.join(NAMES)}")
    seed = hashlib.sha256(f"{max_tokens} {prompt}".encode("utf-8", "replace")).digest()
    return _SPEAKERS[name](random.Random(seed))  # noqa: S311 (not a secret: the same prompt gives the same text)
