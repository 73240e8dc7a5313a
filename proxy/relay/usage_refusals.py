"""Which models of an upstream do not want to be asked for usage: they answered 400 to it, and not without."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

REMEMBERED_S: Final = 3600.0  # then it is tried again: servers are brought up to date
MODELS: Final = 256  # a server that refuses for more refuses for all


class UsageRefusals:
    """By the model that the client asked for; None = it named none."""

    __slots__ = ("_clock", "_until")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str | None, float] = {}  # model -> when it is asked again

    def holds(self, model: str | None) -> bool:
        """Whether the model is not to be asked."""
        if not self._until:
            return False
        if len(self._until) > MODELS and self._forget_old() > MODELS:
            return True
        return self._until.get(model, 0.0) > self._clock()

    def note(self, model: str | None) -> None:
        """It refused."""
        self._until[model] = self._clock() + REMEMBERED_S

    def _forget_old(self) -> int:
        """How many are left."""
        now = self._clock()
        self._until = {model: until for model, until in self._until.items() if until > now}
        return len(self._until)
