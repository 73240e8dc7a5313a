"""Scorers of the user: each adds a named part to the score. Found by the settings, guarded, never in an answer's way.

class Polite:
    name = "polite"        # of the part, the metric's label
    weight = 0.0           # 0: shown beside the score, not mixed in
    def score(self, answered):          # in [0, 1], or None when it has nothing to say
        return float("please" in answered.response.lower())

quality:
  scorers: ["my_module:Polite"]
"""

from __future__ import annotations

import importlib
import logging
import math
import re
import time
from collections.abc import Iterable
from typing import Final, Protocol

from proxy.core.errors import SightglassError
from proxy.observe.guards import Guards
from proxy.observe.quality.answered import Answered

MOST: Final = 16
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SLOW_S: Final = 0.01  # an answer; plain scorers take microseconds
_STRIKES: Final = 20  # slow or failing so often in a row: switched off until the next start

log = logging.getLogger("sightglass.observer")


class ScorerError(SightglassError):
    """A scorer of the settings cannot be used, or gave something that is no part."""


class Scorer(Protocol):
    """What a user writes. Made once, without arguments, in the observer; called from one thread."""

    name: str
    weight: float

    def score(self, answered: Answered) -> float | None: ...


class Guarded:
    """A scorer whose faults stay its own: counted as `scoring`, logged, and after 20 in a row it is switched off."""

    def __init__(self, scorer: Scorer, guards: Guards) -> None:
        self.name = scorer.name
        self.weight = float(getattr(scorer, "weight", 0.0))
        self._scorer = scorer
        self._guards = guards
        self._strikes = 0

    @property
    def off(self) -> bool:
        """Whether it was switched off."""
        return self._strikes >= _STRIKES

    def score(self, answered: Answered) -> float | None:
        """Its part in [0, 1]; None when it has none, failed, or is switched off."""
        if self.off:
            return None
        begun = time.perf_counter()
        try:
            part = self._scorer.score(answered)
            part = None if part is None else _checked(float(part), self.name)
        except Exception as error:
            self._guards.note("scoring", error)
            self._strike("failed")
            return None
        if time.perf_counter() - begun > _SLOW_S:
            self._strike("slow")
        else:
            self._strikes = 0
        return part

    def _strike(self, why: str) -> None:
        self._strikes += 1
        if self.off:
            log.error("scorer_off", extra={"scorer": self.name, "why": why, "strikes": self._strikes})


def load_scorers(names: Iterable[str], guards: Guards, *, taken: Iterable[str] = ()) -> list[Guarded]:
    """The scorers of the settings. One that cannot be loaded is counted and left out. taken: names of our own parts."""
    found, faults = find_scorers(names, taken=taken)
    for fault in faults:
        guards.note("scoring", fault)
    return [Guarded(scorer, guards) for scorer in found]


def find_scorers(names: Iterable[str], *, taken: Iterable[str] = ()) -> tuple[list[Scorer], list[ScorerError]]:
    """Those that can be used, and what is wrong with the others."""
    found: dict[str, Scorer] = {}
    faults: list[ScorerError] = []
    for name in list(names)[:MOST]:
        try:
            scorer = make_scorer(name)
            if scorer.name in taken or scorer.name in found:
                raise ScorerError(f"{name}: there is a part called {scorer.name!r} already; choose another name")
            found[scorer.name] = scorer
        except ScorerError as error:
            faults.append(error)
    return list(found.values()), faults


def make_scorer(path: str) -> Scorer:
    """The scorer behind `module:Class`. Raises ScorerError, with what to do."""
    module_name, _, attribute = path.partition(":")
    try:
        made: Scorer = getattr(importlib.import_module(module_name), attribute)()
    except Exception as error:
        raise ScorerError(f"{path}: {type(error).__name__}: {error}; write module:Class, importable here") from error
    name = getattr(made, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ScorerError(f"{path}: its name is {name!r}; it must be a word of a-z, 0-9 and _, at most 32 long")
    if not callable(getattr(made, "score", None)):
        raise ScorerError(f"{path}: it has no method score(answered)")
    weight = getattr(made, "weight", 0.0)
    if not isinstance(weight, int | float) or not 0 <= weight <= 1:
        raise ScorerError(f"{path}: its weight is {weight!r}; it must be from 0 to 1")
    return made


def _checked(part: float, name: str) -> float:
    if math.isnan(part):
        raise ScorerError(f"{name}: gave nan; it must give a number from 0 to 1, or None")
    return min(max(part, 0.0), 1.0)
