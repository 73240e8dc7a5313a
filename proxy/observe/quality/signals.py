"""Signals: what of one answer is compared with earlier answers of the same model. Numbers only; pure.

Looks at the first 3,000 characters and at the ends, so that an answer of 10 MB costs as much as one of 3 kB.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from itertools import repeat
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from proxy.observe.quality.answer import Answer
from proxy.observe.quality.faults import faults_of
from proxy.observe.quality.words import words_of

HEAD: Final = 3000  # characters
_PROMPT_HEAD: Final = 2000
_TAIL: Final = 300
_LONG_STEM: Final = 5
_SOME: Final = 200  # words whose variety is told
_ENGLISH: Final = 0.16  # share of English function words that no other language reaches

Vector = npt.NDArray[np.float32]

FUNCTION_WORDS: Final = [
    "the",
    "of",
    "and",
    "to",
    "a",
    "in",
    "is",
    "that",
    "it",
    "for",
    "you",
    "i",
    "on",
    "with",
    "as",
    "are",
    "be",
    "this",
    "by",
    "or",
    "can",
    "your",
    "will",
    "have",
    "from",
    "an",
    "not",
    "but",
    "if",
    "their",
    "they",
    "we",
    "which",
    "may",
    "was",
    "its",
    "also",
    "more",
    "these",
    "such",
    "has",
]
_OPENINGS: Final = re.compile(
    r"\W*(?:(?P<eager>sure|certainly|of course|absolutely|great|happy to|yes\b)|(?P<self>i\b|as an?\b|i'm)"
    r"|(?P<here>here (?:is|are)\b|here's|below|the following)|(?P<the>the|this|there|it|to)\b)",
    re.IGNORECASE,
)
_CLOSINGS: Final = (
    "let me know", "feel free", "hope this", "hope that", "if you have", "if you need", "if you would", "if you want",
    "happy to help", "in conclusion", "overall", "in summary", "remember", "would you like", "please",
)  # fmt: skip
_MARK: Final = re.compile(r"\n[ \t]*+(?:([-*•+] )|([0-9]{1,3}[.)] )|(#{1,6} )|(\|)|(```))")

_CLASSES: Final[dict[str, bytes]] = {
    "commas": b",", "stops": b".", "colons": b":", "semicolons": b";", "question_marks": b"?", "exclamations": b"!",
    "quotes": b'"', "apostrophes": b"'", "brackets": b"()", "dashes": b"-", "stars": b"*",
    "code_marks": b"`{}[]=<>/\\_",
    "digits": b"0123456789", "capitals": bytes(range(65, 91)), "newlines": b"\n", "spaces": b" \t",
    "not_ascii": bytes(range(128, 256)), "vowels": b"aeiou",
}  # fmt: skip
_OTHERS: Final = len(_CLASSES)  # class of all other bytes
_CLASS: Final = bytes(
    next((place for place, members in enumerate(_CLASSES.values()) if byte in members), _OTHERS) for byte in range(256)
)
_PROMPT_CLASS: Final = bytes(place + _OTHERS + 1 for place in _CLASS)

# What ends a sentence as `.`, what may follow such an end as ` `, all else as `x`; e2 begins a curly quote.
_ENDS: Final = bytes(46 if byte in b".!?" else 32 if byte in b" \t\n\r\f\v\"')*\xe2" else 120 for byte in range(256))

_SHAPE: Final = (
    "log_chars", "log_words", "word_chars", "sentence_words", "paragraphs", "line_words", "distinct_words",
    "compression", "repeated_trigrams", "bold", "bullets", "numbered", "headings", "tables", "code_fences",
    "opens_eager", "opens_self", "opens_here", "opens_plain", "opens_marked", "closing_offer", "ends_stop",
    "ends_question", "ends_word", "prompt_overlap", "prompt_echo", "prompt_opening", "function_words", "once_words",
)  # fmt: skip
_WIRE: Final = ("chars_per_token", "prompt_token_ratio", "logprob", "reasoning_share", "tool_calls")
# What a route learns from its own first answers: `reference.Reference`.
_LEARNED: Final = ("strange_bytes", "strange_grams")

NAMES: Final[tuple[str, ...]] = (*_SHAPE, *_CLASSES, *(f"word_{word}" for word in FUNCTION_WORDS), *_WIRE, *_LEARNED)
PLACE: Final[dict[str, int]] = {name: place for place, name in enumerate(NAMES)}
PROMPT_NAMES: Final = (
    "prompt_log_chars", "prompt_log_words", "prompt_word_chars", "prompt_lines", "prompt_digits", "prompt_not_ascii",
    "prompt_punctuation", "prompt_question", "prompt_asks_what", "prompt_asks_write", "prompt_asks_code",
    "prompt_asks_list", "prompt_you", "prompt_capitals", "prompt_function_words", "prompt_foreign", "prompt_quotes",
    "prompt_strange_bytes", "prompt_opens_capital",
)  # fmt: skip
PROMPT_PLACE: Final[dict[str, int]] = {name: place for place, name in enumerate(PROMPT_NAMES)}
_ASKS: Final = tuple(
    frozenset(words.split())
    for words in (
        "what who when where why how which is are do does can what's who's where's how's",
        "write create make compose draft generate story poem essay email letter rewrite edit",
        "code python function program script java html sql bash algorithm",
        "list steps suggest recommend",
    )
)
_ASKS_CODE, _ASKS_LIST = 2, 3
_ASKED_FOR: Final = re.compile(r"\bgive me\b|\btop \d|\b\d+ (?:ways|ideas|examples|things)\b")
_ASKS_HEAD: Final = 400  # characters
_FUNCTION_SET: Final = frozenset(FUNCTION_WORDS)


class Signals(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of one answer: `features` in the order of NAMES, `prompt` in that of PROMPT_NAMES; nan = not known."""

    features: Vector
    prompt: Vector
    faults: frozenset[str]  # of faults.NAMES
    json_asked: bool
    answer_bytes: bytes  # of the head, for the route's reference; kept in memory only
    prompt_bytes: bytes


def signals_of(answer: Answer) -> Signals:
    """What one answer is compared by. Bounded time; no text makes it raise."""
    text, prompt = answer.response[:HEAD], answer.prompt[:_PROMPT_HEAD]
    data, prompt_data = text.encode("utf-8", "surrogatepass"), prompt.encode("utf-8", "surrogatepass")
    words, prompt_words = words_of(data), words_of(prompt_data)
    counts, asked = Counter(words), set(prompt_words)
    stems = {word[:_LONG_STEM] for word in asked if len(word) >= _LONG_STEM}
    spoken = f" {' '.join(words)}"
    overlap = _overlap(stems, counts, spoken)
    total = max(len(words), 1)
    rates, prompt_rates = _class_rates(data, prompt_data)
    function_words = list(map(counts.get, FUNCTION_WORDS, repeat(0)))
    known = sum(function_words) / total
    features = np.array(
        [
            *_shape(text, data, words, counts, len(spoken) - total, answer.response),
            *_against_prompt(asked, stems, words, counts, overlap),
            known,
            list(counts.values()).count(1) / max(len(counts), 1),
            *rates,
            *[count / total for count in function_words],
            *_wire(answer),
            math.nan,
            math.nan,
        ],
        np.float32,
    )
    prompt_known = sum(map(_FUNCTION_SET.__contains__, prompt_words)) / max(len(prompt_words), 1)
    english = min(prompt_known, known) > _ENGLISH
    faults = faults_of(answer, counts, prompt_words, overlap=overlap if len(stems) >= 3 else 1.0, same_language=english)
    return Signals(
        features=features,
        prompt=_prompt(prompt, prompt_words, asked, prompt_rates, prompt_known),
        faults=faults,
        json_asked=answer.json_asked,
        answer_bytes=data,
        prompt_bytes=prompt_data,
    )


def _shape(text: str, data: bytes, words: list[str], counts: Counter[str], letters: int, response: str) -> list[float]:
    total = max(len(words), 1)
    lines = text.count("\n") + 1
    sentences = data.translate(_ENDS).count(b". ") + 1
    some = min(len(words), _SOME)
    distinct = len(counts) if some == len(words) else len(set(words[:_SOME]))
    trigrams = max(len(words) - 2, 1)
    marks = _marks(text)
    opening = _OPENINGS.match(text[:40])
    group = opening.lastgroup if opening else None
    tail = response[-_TAIL:].rstrip()
    lowered_tail = tail.lower()
    last = tail[-1:]
    first = text[:1]
    return [
        math.log1p(len(response)),
        math.log1p(len(words)),
        letters / total,
        math.log1p(total / sentences),
        math.log1p(text.count("\n\n")),
        math.log1p(total / lines),
        distinct / max(some, 10) ** 0.9,
        math.log(len(zlib.compress(data, 1)) / max(len(data), 1) ** 0.9) if data else 0.0,
        1.0 - len(set(zip(words, words[1:], words[2:], strict=False))) / trigrams if len(words) > 2 else 0.0,
        math.log1p(text.count("**")),
        *marks,
        float(group == "eager"),
        float(group == "self"),
        float(group == "here"),
        float(group == "the"),
        float(bool(first) and first in "*#-1`|"),
        float(any(map(lowered_tail.__contains__, _CLOSINGS))),
        float(last in (".", "!")),
        float(last == "?"),
        float(last.isalnum()),
    ]


def _marks(text: str) -> list[float]:
    """Lines that begin with a bullet, a number, a heading, a table, a fence."""
    found = [0, 0, 0, 0, 0]
    for mark in _MARK.finditer("\n" + text):
        found[(mark.lastindex or 1) - 1] += 1
    return [math.log1p(count) for count in found]


def _class_rates(data: bytes, prompt_data: bytes) -> tuple[list[float], list[float]]:
    """Square roots of how much of an answer, and of its prompt, each class of bytes is. Counted in one go."""
    classes = np.frombuffer(data.translate(_CLASS) + prompt_data.translate(_PROMPT_CLASS), np.uint8)
    counts = np.bincount(classes, minlength=2 * _OTHERS + 2).tolist()
    return (
        [math.sqrt(count / max(len(data), 1)) for count in counts[:_OTHERS]],
        [math.sqrt(count / max(len(prompt_data), 1)) for count in counts[_OTHERS + 1 : -1]],
    )


def _against_prompt(
    asked: set[str], stems: set[str], words: list[str], counts: Counter[str], overlap: float
) -> list[float]:
    echoed = sum([counts[word] for word in asked & counts.keys() if len(word) >= _LONG_STEM])
    opening = {word[:_LONG_STEM] for word in words[:15] if len(word) >= _LONG_STEM}
    return [overlap, echoed / max(len(words), 1), len(opening & stems) / max(len(opening), 1)]


def _overlap(stems: set[str], counts: Counter[str], spoken: str) -> float:
    """Share of the prompt's long words, by their first five letters, that the answer has; nan where there are none."""
    if not stems:
        return math.nan
    if 3 * len(stems) < len(counts):  # to seek one in the text costs as much as to cut three words
        return sum(f" {stem}" in spoken for stem in stems) / len(stems)
    return len(stems.intersection([word[:_LONG_STEM] for word in counts])) / len(stems)


def _wire(answer: Answer) -> tuple[float, ...]:
    tokens, asked = answer.completion_tokens, answer.prompt_tokens
    return (
        math.log((len(answer.response) + 8) / (tokens + 2))
        if tokens is not None and not answer.tool_calls
        else math.nan,
        math.log((asked + 8) / (len(answer.prompt) / 4 + 8)) if asked is not None and answer.prompt else math.nan,
        answer.logprob if answer.logprob is not None else math.nan,
        answer.reasoning_tokens / max(tokens, 1)
        if tokens is not None and answer.reasoning_tokens is not None
        else math.nan,
        float(answer.tool_calls > 0),
    )


def _prompt(prompt: str, words: list[str], asked: set[str], rates: list[float], known: float) -> Vector:
    """By what answers are conditioned, and the prompts themselves watched. known: share of function words."""
    total = max(len(words), 1)
    digits = rates[_DIGITS]
    return np.array(
        [
            math.log1p(len(prompt)),
            math.log1p(len(words)),
            len("".join(words)) / total,
            math.log1p(prompt.count("\n")),
            digits,
            rates[_NOT_ASCII],
            rates[_COMMAS] + rates[_COLONS] + rates[_BRACKETS],
            float(prompt.rstrip().endswith("?")),
            *_asks(prompt[:_ASKS_HEAD], asked, digits=digits > 0),
            words.count("you") / total,
            rates[_CAPITALS],
            known,
            float(known < 0.12 and len(words) > 5),
            rates[_QUOTES],
            math.nan,
            float(prompt[:1].isupper()),
        ],
        np.float32,
    )


def _asks(head: str, asked: set[str], *, digits: bool) -> list[float]:
    """Whether a prompt asks what something is, to write, for code, for a list. digits: whether it has any."""
    head = head.lower()
    early = asked if len(head) < _ASKS_HEAD else set(words_of(head.encode("utf-8", "surrogatepass")))
    asks = [0.0 if wanted.isdisjoint(early) else 1.0 for wanted in _ASKS]
    if "c++" in head:
        asks[_ASKS_CODE] = 1.0
    if (digits or "give me" in head) and _ASKED_FOR.search(head):
        asks[_ASKS_LIST] = 1.0
    return asks


_DIGITS, _NOT_ASCII, _COMMAS, _COLONS, _BRACKETS, _CAPITALS, _QUOTES = map(
    list(_CLASSES).index, ("digits", "not_ascii", "commas", "colons", "brackets", "capitals", "quotes")
)
