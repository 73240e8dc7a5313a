"""What an upstream's models were, and which were loaded, at the time of a call. Bounded memory; no I/O.

A call is read after its end, at times long after: then looks that came later than the call are known too. So what was
is kept as spans between looks, and a question whose answer lies between two looks that differ is answered by None.

digest    A A A A . . B B B        '.': None, unless the server says when B was written (modified_at)
loaded    - - - * . + + + +        '*': an answer of the model came: it was loaded from then on
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from proxy.observe.upstreams.answers import MODELS_MOST, Installed, Loaded

SPANS_KEPT: Final = 8  # digests of one model
CHANGES_KEPT: Final = 64  # of the set of loaded models


class Span(msgspec.Struct, kw_only=True):
    """A model had this digest from `since_s` to `seen_s`, Unix times."""

    digest: str | None
    quantization: str | None
    since_s: float
    seen_s: float
    exact: bool  # the server said that it began at `since_s`; else it was first seen then


class _Loads(msgspec.Struct, kw_only=True):
    """Looks in a row that found the same models loaded."""

    first_s: float
    last_s: float
    expires_s: dict[str, float | None]  # by name, of the last look; None = never
    answered_s: dict[str, float] = {}  # models that answered after the last look: when first


class ModelHistory:
    """Of one upstream. The watcher writes, the observer's thread asks."""

    def __init__(self, *, stale_s: float) -> None:
        """stale_s: a last look older than this says nothing of what is loaded."""
        self._stale_s = stale_s
        self._spans: dict[str, list[Span]] = {}
        self._installed: frozenset[str] = frozenset()
        self._loads: deque[_Loads] = deque(maxlen=CHANGES_KEPT)
        self._lock = threading.Lock()

    def remember(self, name: str, digest: str | None, quantization: str | None, since_s: float) -> None:
        """What an earlier observer saw last."""
        with self._lock:
            spans = self._spans.setdefault(name, [])
            if not spans:
                known = Span(digest=digest, quantization=quantization, since_s=since_s, seen_s=since_s, exact=True)
                spans.append(known)
            elif spans[0].digest == digest:
                spans[0].since_s = min(spans[0].since_s, since_s)
            elif since_s < spans[0].seen_s:
                first = spans[0]
                if first.since_s <= since_s:  # it says that it was there all along, and was not
                    first.since_s, first.exact = first.seen_s, False
                known = Span(digest=digest, quantization=quantization, since_s=since_s, seen_s=since_s, exact=True)
                spans.insert(0, known)

    def saw_installed(self, installed: Mapping[str, Installed], at_s: float, *, ahead_s: float) -> None:
        """A look at what is installed. ahead_s: the server's clock before ours."""
        with self._lock:
            self._installed = frozenset(installed)
            for name, model in installed.items():
                self._saw(self._spans.setdefault(name, []), model, at_s, ahead_s)
            if len(self._spans) > 2 * MODELS_MOST:
                self._spans = {name: self._spans[name] for name in installed}

    def saw_loaded(self, loaded: Mapping[str, Loaded], at_s: float, *, ahead_s: float) -> None:
        """A look at what is loaded."""
        expires_s = {
            name: None if model.expires_unix_s is None else model.expires_unix_s - ahead_s
            for name, model in loaded.items()
        }
        with self._lock:
            if self._loads and self._loads[-1].expires_s.keys() == expires_s.keys():
                newest = self._loads[-1]
                newest.last_s, newest.expires_s, newest.answered_s = at_s, expires_s, {}
            else:
                self._loads.append(_Loads(first_s=at_s, last_s=at_s, expires_s=expires_s))

    def answered(self, name: str, at_s: float) -> None:
        """The model said something at that time: it was loaded then."""
        with self._lock:
            loads = self._at(at_s)
            if loads is not None and at_s > loads.last_s and len(loads.answered_s) < MODELS_MOST:
                loads.answered_s[name] = min(at_s, loads.answered_s.get(name, at_s))

    def what_answered(self, name: str, at_s: float) -> Span | None:
        """What the model was at that time; None = not known."""
        with self._lock:
            after: Span | None = None
            for span in reversed(self._spans.get(name, ())):
                if at_s < span.since_s:
                    after = span
                    continue
                known = at_s <= span.seen_s or (name in self._installed if after is None else after.exact)
                return span if known else None
            return None

    def since(self, names: Iterable[str]) -> dict[str, float]:
        """Since when each model has what it has now, Unix time."""
        with self._lock:
            return {name: self._spans[name][-1].since_s for name in names if self._spans.get(name)}

    def was_loaded(self, name: str, at_s: float) -> bool | None:
        """Whether it was in memory at that time; None = not known."""
        with self._lock:
            loads = self._at(at_s)
            if loads is None:
                return None
            if at_s <= loads.last_s:
                return name in loads.expires_s
            if loads.answered_s.get(name, at_s + 1) <= at_s:
                return True
            if at_s - loads.last_s > self._stale_s:
                return None
            return self._after(loads, name, at_s)

    def _after(self, loads: _Loads, name: str, at_s: float) -> bool | None:
        """Whether it was loaded at a time after the last look of `loads`, and before the next."""
        place = self._loads.index(loads) + 1
        later = self._loads[place].expires_s if place < len(self._loads) else None
        if name not in loads.expires_s:
            loaded_by_others = later is not None and name in later and name not in loads.answered_s
            return None if loaded_by_others else False
        expires_s = loads.expires_s[name]
        if expires_s is None or at_s < expires_s:
            return True if later is None or name in later else None
        return later is not None and name in later

    def _at(self, at_s: float) -> _Loads | None:
        for loads in reversed(self._loads):
            if loads.first_s <= at_s:
                return loads
        return None

    @staticmethod
    def _saw(spans: list[Span], model: Installed, at_s: float, ahead_s: float) -> None:
        if spans and spans[-1].digest == model.digest:
            spans[-1].seen_s, spans[-1].quantization = at_s, model.quantization
            return
        since_s = None if model.modified_unix_s is None else model.modified_unix_s - ahead_s
        seen_before_s = spans[-1].seen_s if spans else float("-inf")
        exact = since_s is not None and seen_before_s < since_s <= at_s
        began_s = since_s if exact and since_s is not None else at_s
        spans.append(
            Span(digest=model.digest, quantization=model.quantization, since_s=began_s, seen_s=at_s, exact=exact)
        )
        del spans[:-SPANS_KEPT]
