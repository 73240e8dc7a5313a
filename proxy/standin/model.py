"""The stand-in's models: what each says, token by token, what it can do. Pure; timing is generate.py's.

The ones with short names (`chat`, `think`, `tools`, ...) say what the tiny models of the recordings said, in the same
tokens. `stand-in` and the ones named like real models are for people: they say that they are not real.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec

Kind = Literal["say", "think", "mark", "call"]


class Token(msgspec.Struct, frozen=True):
    """One token. `mark`: a tag that a parser swallows; `call`: the last token of a tool call, with what it calls."""

    text: str
    kind: Kind = "say"
    name: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model. `tokens` gives what it says to a prompt; endless ones go on until they are cut."""

    name: str
    tokens: Callable[[str], Iterator[Token]]
    capabilities: tuple[str, ...] = ("completion",)
    token_s: float = 0.0  # its own pace
    ends: bool = True  # False: the server's guard against repetition ends it, without any done reason
    vocabulary: frozenset[str] | None = frozenset()  # pieces longer than a byte; None = about four characters a token
    parameter_size: str = "490K"
    size_bytes: int = 1_968_092
    chats: bool = True


def _fixed(*tokens: Token | str) -> Callable[[str], Iterator[Token]]:
    said = tuple(Token(token) if isinstance(token, str) else token for token in tokens)
    return lambda _prompt: iter(said)


def _counting(word: str, period: int) -> Callable[[str], Iterator[Token]]:
    return lambda _prompt: (Token(f" {word}{number}") for number in itertools.cycle(range(period)))


def _marks(*texts: str) -> tuple[Token, ...]:
    return tuple(Token(text, "mark") for text in texts)


_CHAT = (
    "Hello", " there", ".", " The", " sky", " is", " blue", " today", ";", " <b>", "x", " &", " y", "</b>", " café",
    " 日本", " 🙂", " done", "!",
)  # fmt: skip
_THOUGHT = tuple(Token(text, "think") for text in ("Let", " me", " think", " about", " it", "."))
_CALL_WEATHER = Token("</tool_call>", "call", "get_weather", (("city", "Paris"), ("days", 3)))
_CALL_PARIS = Token("</tool_call>", "call", "get_weather", (("city", "Paris"),))
_CALL_TIME = Token("</tool_call>", "call", "get_time", (("zone", "CET"),))
_TOOL_PIECES = frozenset({"<tool_call>", '{"name": "get_weather", ', '"arguments": ', "</tool_call>"})

_SORRY = (
    "Hello! I am not a language model: I am Sightglass's stand-in, so that the first call works without an Ollama. "
    "Your request passed through and was measured. Start Ollama, and a real model answers here."
)


def words(text: str) -> Iterator[str]:
    """`text` cut into tokens: words with the space before them, punctuation apart. Joined they give `text` again."""
    return iter(re.findall(r"\s?\w+|\s?[^\w\s]|\s", text))


def _saying(text: str) -> Callable[[str], Iterator[Token]]:
    return lambda _prompt: map(Token, words(text))


_SUBJECTS = ("The gauge", "A steady flow", "This answer", "The pipe", "Each call", "The clear glass", "A small model")
_VERBS = ("shows", "carries", "measures", "repeats", "follows", "explains", "keeps")
_OBJECTS = ("what passes through", "the pressure of the day", "one thing at a time", "a number that you can check",
            "the shape of the question", "its own quiet rhythm", "nothing that was not there before")  # fmt: skip
_ENDINGS = (" without haste.", " and little else.", ", as it should.", " today.", " in plain words.", ".")


def _musing(prompt: str) -> Iterator[Token]:
    """Some sentences chosen by the prompt: the same prompt, the same text."""
    seed = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()
    text = "I am only the stand-in model."
    for at in range(2 + seed[0] % 5):
        one, two, three, four = seed[4 * at + 1 : 4 * at + 5]
        text += f" {_SUBJECTS[one % 7]} {_VERBS[two % 7]} {_OBJECTS[three % 7]}{_ENDINGS[four % 6]}"
    return map(Token, words(text))


ALL: tuple[Model, ...] = (
    Model(
        name="tools:latest",
        tokens=_fixed(
            *_marks("<tool_call>", '{"name": "get_weather", ', '"arguments": ', '{"city": "Paris", ', '"days": 3}}'),
            _CALL_WEATHER,
        ),
        capabilities=("completion", "tools"),
        vocabulary=_TOOL_PIECES,
    ),
    Model(
        name="wide:latest",
        tokens=_fixed("x" * 3000, " and ", "é" * 1500, " end"),
        parameter_size="488K",
    ),
    Model(
        name="think:latest",
        tokens=_fixed(
            *_marks("<think>"), *_THOUGHT, *_marks("</think>"), "The", " answer", " is", " 42", "!"
        ),
        capabilities=("completion", "thinking"),
        parameter_size="491K",
    ),
    Model(
        name="tools2:latest",
        tokens=_fixed(
            "I", " will", " check", " both", ".",
            *_marks("<tool_call>", '{"name": "get_weather", ', '"arguments": ', '{"city": "Paris"}}'), _CALL_PARIS,
            *_marks("<tool_call>", '{"name": "get_time", ', '"arguments": {"zone": "CET"}}'), _CALL_TIME,
        ),
        capabilities=("completion", "tools"),
        vocabulary=_TOOL_PIECES,
    ),
    Model(
        name="slow:latest",
        tokens=_counting("slow", 60),
        token_s=0.01,
        parameter_size="25.63M",
        size_bytes=102_542_494,
    ),
    Model(
        name="json:latest",
        tokens=_fixed("{", '"city"', ": ", '"Paris"', ", ", '"days"', ": ", "3", "}"),
        vocabulary=frozenset({": "}),
    ),
    Model(name="loop:latest", tokens=_counting("word", 60), parameter_size="516K"),
    Model(name="same:latest", tokens=_fixed("Start", *[" again"] * 31), ends=False, parameter_size="487K"),
    Model(name="embed:latest", tokens=_fixed(), capabilities=("embedding",), chats=False, parameter_size="486K"),
    Model(name="chat:latest", tokens=_fixed(*_CHAT), vocabulary=frozenset(_CHAT), parameter_size="493K"),
    Model(name="empty:latest", tokens=_fixed(), parameter_size="486K"),
    Model(
        name="llama3.2:latest", tokens=_musing, capabilities=("completion", "tools"), vocabulary=None,
        parameter_size="3.2B", size_bytes=2_019_393_189,
    ),
    Model(
        name="llama3.2:1b", tokens=_musing, capabilities=("completion", "tools"), vocabulary=None,
        parameter_size="1.2B", size_bytes=1_321_098_329,
    ),
    Model(
        name="nomic-embed-text:latest", tokens=_fixed(), capabilities=("embedding",), chats=False, vocabulary=None,
        parameter_size="137M", size_bytes=274_302_450,
    ),
    Model(
        name="stand-in:latest", tokens=_saying(_SORRY), capabilities=("completion", "tools"), vocabulary=None,
        parameter_size="0", size_bytes=1,
    ),
)  # fmt: skip


def count(model: Model, text: str) -> int:
    """How many tokens `text` is to `model`, the opening one included."""
    if model.vocabulary is None:
        return 1 + (len(text) + 3) // 4
    total = 1
    rest = text
    if model.vocabulary:
        pieces = sorted((piece for piece in model.vocabulary if len(piece) > 1), key=len, reverse=True)
        pattern = "|".join(map(re.escape, pieces))
        total += len(re.findall(pattern, text))
        rest = re.sub(pattern, "", text)
    return total + len(rest.encode("utf-8", "replace"))
