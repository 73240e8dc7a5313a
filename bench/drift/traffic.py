"""Which prompt comes when, and under which load: independent, swinging over a day, in bursts. No answers here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, NamedTuple, get_args

from bench.drift.material import Prompt

Kind = Literal["independent", "daily", "bursty"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_DAY_ANSWERS: Final = (250, 1000)  # answers in a day, drawn for each stream: a detector may not know it
_SWING: Final = 0.9  # of a category's log weight
_BURST_ANSWERS: Final = 20  # mean length of a run of one category
_BURST_PURITY: Final = 0.85
_LOAD_MEMORY: Final = 0.95  # of the log load, from one answer to the next
_LOAD_SPREAD: Final = 0.12
_LOAD_SWING: Final = {"independent": 0.0, "daily": 0.4, "bursty": 0.3}
_MEAN_IN_FLIGHT: Final = 4.0


class Moment(NamedTuple):
    """One request: load 1.0 is the usual; in_flight follows it."""

    prompt: Prompt
    load: float
    in_flight: int


@dataclass
class Traffic:
    """An endless source of moments. `prompts` may be exchanged on the way: then only the prompts change."""

    kind: Kind
    prompts: Sequence[Prompt]
    rng: Random
    _day: float = 0.0
    _phases: dict[str, float] = field(default_factory=dict)
    _log_load: float = 0.0
    _burst: str | None = None
    _rush: float = 0.0
    _answers: int = 0

    def __post_init__(self) -> None:
        self._day = self.rng.uniform(*_DAY_ANSWERS)

    def __iter__(self) -> Iterator[Moment]:
        while True:
            yield self.moment()

    def moment(self) -> Moment:
        """The next request."""
        self._answers += 1
        load = self._load()
        in_flight = max(int(_MEAN_IN_FLIGHT * load + self.rng.gauss(0, 0.8)), 0)
        return Moment(self._prompt(), load, in_flight)

    def _prompt(self) -> Prompt:
        if self.kind == "independent":
            return self.rng.choice(self.prompts)
        if self.kind == "bursty":
            if self._burst is None or self.rng.random() < 1 / _BURST_ANSWERS:
                self._burst = self._category()
                self._rush = self.rng.choice((0.0, 0.0, 0.35))
            if self.rng.random() > _BURST_PURITY:
                return self.rng.choice(self.prompts)
            return self._one_of(self._burst)
        return self._one_of(self._category())

    def _category(self) -> str:
        """One by its size and the hour."""
        sizes: dict[str, int] = {}
        for prompt in self.prompts:
            sizes[prompt.category] = sizes.get(prompt.category, 0) + 1
        names = sorted(sizes)
        weights = [sizes[name] * math.exp(_SWING * math.sin(self._hour() + self._phase(name))) for name in names]
        return self.rng.choices(names, weights)[0]

    def _one_of(self, category: str) -> Prompt:
        return self.rng.choice([prompt for prompt in self.prompts if prompt.category == category] or self.prompts)

    def _phase(self, category: str) -> float:
        if category not in self._phases:
            self._phases[category] = self.rng.uniform(0, math.tau)
        return self._phases[category]

    def _hour(self) -> float:
        return math.tau * self._answers / self._day

    def _load(self) -> float:
        fresh = self.rng.gauss(0, _LOAD_SPREAD * math.sqrt(1 - _LOAD_MEMORY**2))
        self._log_load = _LOAD_MEMORY * self._log_load + fresh
        swing = _LOAD_SWING[self.kind] * math.sin(self._hour() + self._phase("load"))
        return math.exp(self._log_load + swing + (self._rush if self.kind == "bursty" else 0.0))
