"""Same: a lane whose answers were all alike, as of health checks: another answer is news by itself. Pure."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from proxy.analyse.drift.shares import Share

Matrix = npt.NDArray[Any]

_NEAR: Final = 1e-4  # of features; less is rounding


class Same:
    """How often answers differ from what they all were."""

    def __init__(self, features: Matrix) -> None:
        """features: of the baseline's answers, none of which vary; nan = not known."""
        known = np.isfinite(features)
        self._was = np.where(known.any(0), np.where(known, features, -np.inf).max(0), np.nan)
        self.share = Share(0, len(features))
        self.last = self._was
        self.seen = False  # among the last answers that were fed
        self.differing: tuple[int, ...] = ()  # features in which the last other answer differed

    def feed(self, features: Matrix, count: int) -> None:
        """Some more answers; count: of those since the baseline, these included."""
        off = np.abs(features - self._was) > _NEAR  # never for what is not known
        self.seen = bool(off.any())
        for place in np.flatnonzero(off.any(1)):
            self.last, self.differing = features[place], tuple(np.flatnonzero(off[place]).tolist())
            self.share.feed(count - len(features) + int(place) + 1)
