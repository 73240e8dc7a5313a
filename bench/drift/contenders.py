"""The detectors that take part: the product's, river's ADWIN, and a plain 30 % rule. All are fed the same records."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from bench.drift.stream import WARM_UP, Record

BUDGET: Final = 20_000  # answers to a false alarm, as users' default
_ADWIN_DELTA: Final = 1e-6
_QUIET: Final = 100  # answers in which further detections of ADWIN are the same alarm
_RULE_WINDOW: Final = 100
_RULE_FEATURES: Final = (
    "log_chars",
    "unique_words",
    "prompt_overlap",
    "ended",
)  # rarer things move by 30 % all the time
_RULE_LEVEL: Final = 0.30


class Alarm(NamedTuple):
    """What a detector said at an answer. kind `input`: the prompts changed, not the model."""

    kind: str
    signals: tuple[str, ...]


class Contender(Protocol):
    """Can be copied deeply in mid-stream."""

    def feed(self, record: Record) -> Sequence[Alarm]: ...


class Ours:
    """The product's own replay."""

    def __init__(self) -> None:
        from proxy.analyse.drift.replay import Replay

        self._replay = Replay(budget=BUDGET)

    def feed(self, record: Record) -> Sequence[Alarm]:
        found = self._replay.feed(record)
        return [Alarm(event.kind, _names(event.signals)) for event in found if event.event == "raised"]


class Rule:
    """Alarm when a mean over the last 100 answers is 30 % off its mean over the first 500."""

    def __init__(self) -> None:
        self._first: list[list[float]] = []
        self._means: list[float] = []
        self._recent: deque[list[float]] = deque(maxlen=_RULE_WINDOW)
        self._standing = False

    def feed(self, record: Record) -> Sequence[Alarm]:
        features = plain_features(record)
        row = [features[name] for name in _RULE_FEATURES]
        if len(self._first) < WARM_UP:
            self._first.append(row)
            return ()
        self._means = self._means or [sum(column) / WARM_UP for column in zip(*self._first, strict=True)]
        self._recent.append(row)
        if len(self._recent) < _RULE_WINDOW:
            return ()
        off = [name for name, far in zip(_RULE_FEATURES, self._far(), strict=True) if far > _RULE_LEVEL]
        raised = bool(off) and not self._standing
        self._standing = bool(off)
        return (Alarm("output", tuple(off)),) if raised else ()

    def _far(self) -> list[float]:
        means = [sum(column) / len(self._recent) for column in zip(*self._recent, strict=True)]
        return [abs(now - then) / max(then, 0.1) for now, then in zip(means, self._means, strict=True)]


class Adwin:
    """One of river's per feature, delta 1e-6: the best of the stock detectors. Only if river is installed here."""

    def __init__(self) -> None:
        from river.drift import ADWIN

        self._windows = [ADWIN(delta=_ADWIN_DELTA) for _ in PLAIN]
        self._fed = 0
        self._quiet_until = WARM_UP

    def feed(self, record: Record) -> Sequence[Alarm]:
        self._fed += 1
        moved = []
        for name, value, window in zip(PLAIN, plain_features(record).values(), self._windows, strict=True):
            window.update(value)
            if window.drift_detected:
                moved.append(name)
        if not moved or self._fed <= self._quiet_until:
            return ()
        self._quiet_until = self._fed + _QUIET
        return (Alarm("output", tuple(moved)),)


CONTENDERS: Final[dict[str, Callable[[], Contender]]] = {"sightglass": Ours, "adwin": Adwin, "rule": Rule}


def missing(name: str) -> str | None:
    """Why that contender cannot take part here; None = it can."""
    try:
        CONTENDERS[name]()
    except ImportError as error:
        return str(error)
    return None


_WORD: Final = re.compile(r"[^\W\d_]+")
_FUNCTION_WORDS: Final = frozenset(
    (
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
    )
)
_REFUSING: Final = re.compile(r"\b(sorry|cannot|can't|unable|as an ai)\b", re.IGNORECASE)


def plain_features(record: Record) -> dict[str, float]:
    """What anyone would compute of an answer, on scales that a mean makes sense on.

    Without latency: under a load that swings over the day both stock detectors ring at each turn of it.
    """
    text = record["response"]
    words = _WORD.findall(text.lower())
    count = len(words) or 1
    sentences = max(len(re.findall(r"[.!?](?:\s|$)", text)), 1)
    return {
        "log_chars": math.log1p(len(text)),
        "sentence_words": math.log1p(count / sentences),
        "word_chars": sum(map(len, words)) / count,
        "unique_words": len(set(words[:200])) / min(count, 200),
        "lines": math.log1p(text.count("\n")),
        "bold": math.log1p(text.count("**")),
        "bullets": math.log1p(len(re.findall(r"^\s*(?:[-*]|\d+\.)\s", text, re.MULTILINE))),
        "code": float("```" in text),
        "function_words": sum(word in _FUNCTION_WORDS for word in words) / count,
        "not_ascii": 0.0 if text.isascii() else sum(char > "\x7f" for char in text) / len(text),
        "digits": sum(map(str.isdigit, text)) / max(len(text), 1),
        "commas": text.count(",") / count,
        "refusing": float(_REFUSING.search(text[:200]) is not None),
        "empty": float(not text.strip()),
        "ended": float(text.rstrip()[-1:] in tuple('.!?:)"`}')),
        "told_length": float(record["finish_reason"] == "length"),
        "prompt_overlap": _overlap(record["prompt"], words),
    }


def _overlap(prompt: str, words: list[str]) -> float:
    asked = {word[:5] for word in _WORD.findall(prompt.lower()[:1000]) if len(word) > 4}
    return len(asked & {word[:5] for word in words}) / len(asked) if asked else 0.5


PLAIN: Final = tuple(plain_features({"response": "", "prompt": "", "finish_reason": "stop"}))


def _names(signals: Any) -> tuple[str, ...]:
    """Names of signals, whether they come as words or as values with a name."""
    return tuple(
        str(getattr(signal, "name", signal["name"] if isinstance(signal, dict) else signal)) for signal in signals or ()
    )
