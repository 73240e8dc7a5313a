"""Reference: what a route's own first answers look like, byte by byte. Hashed counts, so that no text can be read back.

Two figures of a later text: how surprising its bytes are (three in a row), and how much of it was never seen (six in a
row). They notice other languages, other words and noise that no fixed list of features knows.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from proxy.observe.quality.signals import PLACE, PROMPT_PLACE, Signals

LEARNED_FROM: Final = 150  # answers
_TRIPLES: Final = 1 << 13
_GRAMS: Final = 1 << 18  # bits
_SHORTEST: Final = 24  # bytes; below, a text says nothing here

Counts = npt.NDArray[np.uint32]


class Reference:
    """Of one route and model: of its answers, or of its prompts."""

    def __init__(self) -> None:
        self.texts = 0
        self._counts: Counts = np.zeros(_TRIPLES, np.uint32)
        self._seen = np.zeros(_GRAMS // 8, np.uint8)
        self._surprise: npt.NDArray[np.float32] | None = None

    @property
    def settled(self) -> bool:
        """Whether it has learned what it will."""
        return self.texts >= LEARNED_FROM

    def learn(self, data: bytes) -> None:
        """Take in one text."""
        self.texts += 1
        if len(data) < 6:
            return
        triples, grams = _hashes(data)
        np.add.at(self._counts, triples, 1)
        np.bitwise_or.at(self._seen, grams >> 3, (1 << (grams & 7)).astype(np.uint8))

    def strangeness(self, data: bytes) -> tuple[float, float]:
        """Mean surprise in nats a byte, share of unseen pieces; nan before it has settled, and for short texts."""
        if not self.settled or len(data) < _SHORTEST:
            return math.nan, math.nan
        if self._surprise is None:
            total = float(self._counts.sum()) + _TRIPLES
            self._surprise = -np.log((self._counts + 1.0) / total).astype(np.float32)
        triples, grams = _hashes(data)
        unseen = (self._seen[grams >> 3] >> (grams & 7)) & 1 == 0
        return float(self._surprise[triples].mean()), float(np.count_nonzero(unseen) / len(grams))

    def dump(self) -> bytes:
        """All that it knows; about 64 KiB."""
        return self.texts.to_bytes(4, "little") + self._counts.tobytes() + self._seen.tobytes()

    @classmethod
    def load(cls, dumped: bytes) -> Reference:
        """Raises ValueError for what is no dump."""
        if len(dumped) != 4 + _TRIPLES * 4 + _GRAMS // 8:
            raise ValueError(f"a reference has {4 + _TRIPLES * 4 + _GRAMS // 8} bytes, this {len(dumped)}")
        made = cls()
        made.texts = int.from_bytes(dumped[:4], "little")
        made._counts = np.frombuffer(dumped, np.uint32, _TRIPLES, 4).copy()
        made._seen = np.frombuffer(dumped, np.uint8, -1, 4 + _TRIPLES * 4).copy()
        return made


class References:
    """Both of a route and model. A text that is learned from has no figures itself: it would find itself there."""

    def __init__(self) -> None:
        self.answers, self.prompts = Reference(), Reference()

    def filled(self, signals: Signals) -> Signals:
        """The signals with what only the route knows; learns from them while it is young."""
        if not self.answers.settled:
            self.answers.learn(signals.answer_bytes)
            self.prompts.learn(signals.prompt_bytes)
            return signals
        features, prompt = signals.features.copy(), signals.prompt.copy()
        features[_STRANGE_BYTES], features[_STRANGE_GRAMS] = self.answers.strangeness(signals.answer_bytes)
        prompt[_PROMPT_STRANGE] = self.prompts.strangeness(signals.prompt_bytes)[0]
        return replace(signals, features=features, prompt=prompt)


_STRANGE_BYTES: Final = PLACE["strange_bytes"]
_STRANGE_GRAMS: Final = PLACE["strange_grams"]
_PROMPT_STRANGE: Final = PROMPT_PLACE["prompt_strange_bytes"]


def _hashes(data: bytes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    bytes_ = np.frombuffer(data, np.uint8).astype(np.uint32)
    triples = (
        bytes_[:-2] * np.uint32(0x9E3779B1) ^ bytes_[1:-1] * np.uint32(0x85EBCA6B) ^ bytes_[2:] * np.uint32(0xC2B2AE35)
    )
    grams = triples[:-3] * np.uint32(0x27D4EB2F) ^ triples[3:] * np.uint32(0x165667B1)
    grams ^= grams >> np.uint32(15)
    triples ^= triples >> np.uint32(15)
    return (triples & np.uint32(_TRIPLES - 1)).astype(np.intp), (grams & np.uint32(_GRAMS - 1)).astype(np.intp)
