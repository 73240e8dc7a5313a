"""Inputs: what a lane's first prompts were like, and evidence that the last ones are not as all before them. Pure.

Learned once. A baseline that grew would take a change of the prompts that is under way for their way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.kept import Kept
from proxy.analyse.drift.means import Means
from proxy.analyse.drift.moved import REGAIN, Sums, detected, joint_of_prompts
from proxy.analyse.drift.ranks import Scaled
from proxy.analyse.drift.told import Moved
from proxy.analyse.drift.topics import Topics
from proxy.analyse.drift.tuning import Tuning
from proxy.observe.quality.signals import PROMPT_NAMES

Matrix = npt.NDArray[Any]


class Inputs:
    """Of one lane."""

    def __init__(self, kept: Kept, topics: Topics, most: int, tuning: Tuning) -> None:
        """kept: the answers of the baseline. most: how many are ever compared with."""
        prompts = kept.prompts
        self._scaled = Scaled(prompts)
        scores = self._scaled.scores
        count, width = scores.shape
        self._joint = (
            joint_of_prompts(
                scores, topics.apart(scores), tuning.input_scales, floor=tuning.input_floor,
                shrink=tuning.input_shrink, wander=tuning.input_wander,
            )
            if width
            else None
        )  # fmt: skip
        weighed = kept.weights * scores
        self._sums = Sums(weighed.sum(0), count, most)
        turned = weighed if self._joint is None else self._joint.turn(weighed)
        self._turned = Sums(turned.sum(0), count, most)
        self._means = Means(prompts, prompts[:0])
        del self._scaled.scores

    def take_in(self, prompts: Matrix, weight: Matrix) -> None:
        """STEP more prompts; weight: of each, in (0, 1]."""
        self._means.add(prompts)
        if self._joint is None:
            return
        scores = weight * self._scaled.score(prompts)
        self._sums.add(scores)
        self._turned.add(self._joint.turn(scores))
        if self._sums.growing and self._sums.count % REGAIN < len(prompts):
            self._joint.weigh(self._sums.compared())

    def evidence(self) -> tuple[float, float, int]:
        """That the prompts may have changed; that they surely did, and over how many answers it is seen best.

        A few odd prompts are doubtful. They are no change.
        """
        if self._joint is None:
            return -np.inf, -np.inf, 1
        found = self._joint.evidence(self._turned.last())
        return detected(found)[0], *detected(found, self._joint.shortest)

    def moved(self, length: int) -> tuple[Moved, ...]:
        """The numbers that moved most, over the last so many."""
        return self._means.moved(self._sums.last(), length, self._scaled.places, PROMPT_NAMES)

    def freeze(self, ago: int) -> None:
        """The last ones, so many, and later ones are no part of what others are compared with."""
        self._sums.freeze(ago)
        self._turned.freeze(ago)
        if self._joint is not None:
            self._joint.weigh(self._sums.compared())

    def forget(self) -> None:
        """What was told, and is over, is no evidence any more."""
        self._sums.forget()
        self._turned.forget()
