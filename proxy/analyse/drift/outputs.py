"""Outputs: what a lane's first answers were like, and evidence that the last ones are not as all before them. Pure.

Learned from the first answers, and again from twice and three times as many while nothing moves. Each sum of last
scores is compared with all that came before it, as far as the baseline reaches.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from proxy.analyse.drift import priors
from proxy.analyse.drift.course import Course
from proxy.analyse.drift.kept import Kept
from proxy.analyse.drift.means import TOP, Means
from proxy.analyse.drift.moved import REGAIN, Single, Sums, detected, joint_of_answers
from proxy.analyse.drift.ranks import Ranks
from proxy.analyse.drift.same import Same
from proxy.analyse.drift.told import Moved
from proxy.analyse.drift.topics import Topics
from proxy.analyse.drift.tuning import Tuning
from proxy.observe.quality.signals import NAMES

Matrix = npt.NDArray[Any]


class Outputs:
    """Of one lane."""

    def __init__(self, ranks: Ranks, kept: Kept, first: int, most: int, tuning: Tuning) -> None:
        """ranks: of all that is kept. first: answers among them in which no evidence is sought.

        most: answers that the last ones are ever compared with.
        """
        scores, topics, prior = ranks.scores, ranks.topics, priors.PRIORS.of(ranks.places)
        self._ranks = ranks
        self._joint = joint_of_answers(
            scores, prior, tuning.joint_scales, topics, block=tuning.block, shrink=tuning.shrink, wander=tuning.wander
        )
        weights = prior.moves.diagonal()
        self._single = Single(scores, weights, tuning.single_scales, topics, block=tuning.block, wander=tuning.wander)
        self._course = Course()
        self.learned_from = kept.count
        features = kept.features
        self.same = None if scores.shape[1] else Same(features)
        self._means = Means(features, features[first:])
        self._begin(scores, kept.weights, first, most)
        del ranks.scores  # the largest thing of a lane

    @property
    def topics(self) -> Topics:
        """Groups of the prompts that it was learned from."""
        return self._ranks.topics

    @property
    def compared(self) -> int:
        """Answers that the last ones are compared with at most."""
        return self.learned_from if self.same is not None else int(self._sums.compared().max())

    def take_in(self, features: Matrix, prompts: Matrix, weight: Matrix) -> None:
        """STEP more answers; weight: of each, in (0, 1], how much it counts."""
        scores = weight * self._ranks.score(features, prompts, self._sums.count)
        self._sums.add(scores)
        self._turned.add(self._joint.turn(scores))
        if self.same is not None:
            self.same.feed(features, self._sums.count)
        self._means.add(features)
        if self._sums.growing and self._sums.count % REGAIN < len(features):
            self._weigh()
        self._last = self._sums.last()

    def evidence(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """That the answers changed: by all signals together, and by one of them."""
        return detected(self._joint.evidence(self._turned.last())), detected(self._single.evidence(self._last))

    def moved(self, length: int) -> tuple[Moved, ...]:
        """The signals that moved most, over the last so many."""
        return self._means.moved(self._last, length, self._ranks.places, NAMES)

    def now_other(self, same: Same) -> tuple[Moved, ...]:
        """Signals that never varied, and do now."""
        before = self._means.before
        return tuple(
            Moved(name=NAMES[at], before=round(float(before[at]), 4), after=round(float(same.last[at]), 4))
            for at in same.differing[:TOP]
        )

    def freeze(self, ago: int) -> None:
        """The last ones, so many, and later ones are no part of what others are compared with."""
        self._sums.freeze(ago)
        self._turned.freeze(ago)
        self._weigh()

    def over(self, evidence: float, length: int, quiet: int) -> bool:
        """Whether what was told is over, of an alarm that stands; evidence: of now, over so many last answers."""
        sums = self._turned.last()
        self._course.follow(self._joint, sums, evidence, length)
        return self._course.over(self._joint, sums, quiet)

    def forget(self) -> None:
        """What was told, and is over, is no evidence any more; the longest sums would still hold it."""
        self._course = Course()
        self._sums.forget()
        self._turned.forget()

    def _begin(self, scores: Matrix, weights: Matrix, first: int, most: int) -> None:
        scores = weights * scores
        turned = self._joint.turn(scores)
        self._sums = Sums(scores[:first].sum(0), first, most)
        self._turned = Sums(turned[:first].sum(0), first, most)
        self._sums.add_all(scores[first:])
        self._turned.add_all(turned[first:])
        self._last = self._sums.last()
        self._weigh()

    def _weigh(self) -> None:
        compared = self._sums.compared()
        self._joint.weigh(compared)
        self._single.weigh(compared)
