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
_TRIPLES: Final = 13  # bits of a hash
_GRAMS: Final = 18
_SHORTEST: Final = 24  # bytes; below, a text says nothing here
_TABLE_BYTES: Final = 4 << _TRIPLES
_SEEN_BYTES: Final = (1 << _GRAMS) // 8

Hashes = npt.NDArray[np.int64]
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: its product's upper bits hash the factor
_MASKS: Final = (1 << np.arange(8)).astype(np.uint8)


class Reference:
    """Of one route and model: of its answers, or of its prompts, of which the grams are not asked."""

    def __init__(self, *, grams: bool = True) -> None:
        self.texts = 0
        # Of each hash of three bytes: while it learns, how often it came, and one; then its surprise, in nats.
        self._table: npt.NDArray[np.float32] = np.ones(1 << _TRIPLES, np.float32)
        self._seen = np.zeros(_SEEN_BYTES if grams else 0, np.uint8)  # a bit for each hash of six

    @property
    def settled(self) -> bool:
        """Whether it has learned what it will."""
        return self.texts >= LEARNED_FROM

    def learn(self, data: bytes) -> None:
        """Take in one text; nothing once it has settled."""
        if self.settled:
            return
        self.texts += 1
        if len(data) >= 6:
            sixes = _sixes(data)
            self._table += np.bincount(_triples(sixes), minlength=1 << _TRIPLES)
            if len(self._seen):
                found = np.zeros(1 << _GRAMS, bool)
                found[_grams(sixes)] = True
                self._seen |= np.packbits(found, bitorder="little")
        if self.texts == LEARNED_FROM:
            self._table = (np.log(self._table.sum(dtype=np.float64)) - np.log(self._table)).astype(np.float32)

    def strangeness(self, data: bytes) -> tuple[float, float]:
        """Mean surprise in nats a byte, share of unseen pieces; nan before it has settled, and for short texts."""
        if not self.settled or len(data) < _SHORTEST:
            return math.nan, math.nan
        sixes = _sixes(data)
        triples = _triples(sixes)
        surprise = float(np.add.reduce(self._table.take(triples))) / len(triples)
        if not len(self._seen):
            return surprise, math.nan
        grams = _grams(sixes)
        known = np.count_nonzero(self._seen.take(grams >> 3) & _MASKS.take(grams & 7))
        return surprise, 1.0 - known / len(grams)

    def dump(self) -> bytes:
        """All that it knows: 32 KiB, and as much for grams."""
        return self.texts.to_bytes(4, "little") + self._table.tobytes() + self._seen.tobytes()

    @classmethod
    def load(cls, dumped: bytes, *, grams: bool = True) -> Reference:
        """Raises ValueError for what is no dump."""
        expected = 4 + _TABLE_BYTES + (_SEEN_BYTES if grams else 0)
        if len(dumped) != expected:
            raise ValueError(f"a reference has {expected} bytes, this {len(dumped)}")
        made = cls(grams=grams)
        made.texts = int.from_bytes(dumped[:4], "little")
        made._table = np.frombuffer(dumped, np.float32, 1 << _TRIPLES, 4).copy()
        made._seen = np.frombuffer(dumped, np.uint8, offset=4 + _TABLE_BYTES).copy()
        return made


class References:
    """Both of a route and model. A text that is learned from has no figures itself: it would find itself there."""

    def __init__(self) -> None:
        self.answers, self.prompts = Reference(), Reference(grams=False)

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


def _sixes(data: bytes) -> npt.NDArray[np.uint64]:
    """Six bytes from each place on, in the upper bytes of a word; at the last places they end in zeros."""
    words: npt.NDArray[np.uint64] = np.ndarray((len(data) - 2,), "<u8", data + bytes(5), strides=(1,))
    return words << np.uint64(16)


def _triples(sixes: npt.NDArray[np.uint64]) -> Hashes:
    """Hashes of three bytes at each place."""
    found = sixes << np.uint64(24)
    found *= _ODD
    found >>= np.uint64(64 - _TRIPLES)
    return found.view(np.int64)


def _grams(sixes: npt.NDArray[np.uint64]) -> Hashes:
    """Hashes of six bytes, at each place that has six."""
    found = sixes[:-3] * _ODD
    found >>= np.uint64(64 - _GRAMS)
    return found.view(np.int64)
