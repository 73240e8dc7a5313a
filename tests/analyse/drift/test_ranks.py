"""Ranks: what is sought in all columns at once is what each column says by itself."""

from __future__ import annotations

import numpy as np

from proxy.analyse.drift.ranks import Ranks, Sorted


def test_counts_are_those_of_each_column() -> None:
    dice = np.random.default_rng(3)
    for count in (1, 2, 7, 255, 256, 500):
        columns = np.sort(dice.integers(0, 40, (count, 6)).astype(np.float32), axis=0)
        values = dice.integers(-2, 43, (5, 6)).astype(np.float32)
        below, to = Sorted(columns).around(values)
        assert (below == (columns[None] < values[:, None]).sum(1)).all()
        assert (to == (columns[None] <= values[:, None]).sum(1)).all()


def test_what_is_missing_is_not_counted() -> None:
    columns = np.array([[1.0, 1.0], [2.0, np.inf], [3.0, np.inf]], np.float32)
    below, to = Sorted(columns).around(np.array([[9.0, 9.0], [2.0, np.nan]], np.float32))
    assert below.tolist() == [[3, 1], [1, 0]]
    assert to[0].tolist() == [3, 1]


def test_several_answers_at_once_score_as_one_by_one() -> None:
    dice = np.random.default_rng(5)
    features, prompts = dice.normal(size=(300, 9)).astype(np.float32), dice.normal(size=(300, 4)).astype(np.float32)
    features[:, 3] = features[:, 3] > 1  # rare and all ties
    ranks = Ranks(features, prompts)
    later, asked = dice.normal(size=(8, 9)).astype(np.float32), dice.normal(size=(8, 4)).astype(np.float32)
    later[2, 5] = np.nan
    together = ranks.score(later, asked, 100)
    alone = np.concatenate([ranks.score(later[[at]], asked[[at]], 100 + at) for at in range(8)])
    assert np.abs(together - alone).max() < 0.02  # a step of the table of scores
    assert together[2, 5] == 0.0
