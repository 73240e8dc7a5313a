"""The admin token, sessions made of it, and how often somebody may guess. Pure but for the clock.

A session is its end, signed with a key that is made of the token: it outlives a restart of the observer, and ends for
everybody when the token is another one. Nothing is kept of it here.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

SESSION_S: Final = 12 * 3600
TRIES: Final = 5
TRIES_S: Final = 60.0
_ADDRESSES: Final = 10_000  # remembered with their tries; the oldest are forgotten


class Sessions:
    """Says who is the admin."""

    def __init__(self, token: str, *, clock: Callable[[], float] = time.time) -> None:
        self._token = hashlib.sha256(token.encode()).digest()
        self._key = hmac.digest(token.encode(), b"sightglass session", "sha256")
        self._clock = clock

    def is_token(self, said: str) -> bool:
        """Whether this is the admin token. Compared by hash, in constant time."""
        return hmac.compare_digest(hashlib.sha256(said.encode("utf-8", "surrogateescape")).digest(), self._token)

    def begin(self) -> str:
        """The value of a new session's cookie."""
        until = str(int(self._clock()) + SESSION_S)
        return f"{until}.{self._signature(until)}"

    def is_open(self, cookie: str) -> bool:
        """Whether this cookie is of a session that has not ended."""
        until, _, signature = cookie.partition(".")
        genuine = hmac.compare_digest(self._signature(until).encode(), signature.encode("utf-8", "replace"))
        return genuine and int(until) > self._clock()

    def _signature(self, until: str) -> str:
        return hmac.new(self._key, until.encode("utf-8", "replace"), "sha256").hexdigest()


class Tries:
    """Wrong guesses by address, of the last minute."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address has to wait before it may try again; 0 = it may now."""
        tries = self._recent(address)
        return max(tries[-TRIES] + TRIES_S - self._clock(), 0.0) if len(tries) >= TRIES else 0.0

    def note(self, address: str) -> None:
        """It guessed wrong."""
        self._tries[address] = [*self._recent(address)[1 - TRIES :], self._clock()]
        self._tries.move_to_end(address)
        while len(self._tries) > _ADDRESSES:
            self._tries.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - TRIES_S
        return [at for at in self._tries.get(address, ()) if at > since]
