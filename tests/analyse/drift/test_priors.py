"""Priors: of each signal, and such as a covariance can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from proxy.analyse.drift import priors
from proxy.observe.quality.signals import NAMES, PLACE


def test_each_signal_has_a_move_and_is_like_itself() -> None:
    moves, likeness = priors.PRIORS
    assert moves.shape == likeness.shape == (len(NAMES), len(NAMES))
    assert (moves.diagonal() > 0).all()
    assert (likeness.diagonal() == 1).all()
    assert np.linalg.eigvalsh(moves).min() > -1e-4
    assert np.linalg.eigvalsh(likeness).min() > -1e-2


def test_what_the_answers_could_not_show_goes_along_with_nothing() -> None:
    at = PLACE["chars_per_token"]
    assert priors.PRIORS.moves[at, at] > 0.1
    assert np.count_nonzero(priors.PRIORS.moves[at]) == 1


def test_signals_newer_than_the_file_are_thought_to_move_a_little(tmp_path: Path) -> None:
    known = NAMES[1:]
    many = np.full((len(known), len(known)), 0.01, np.float16)
    np.savez(tmp_path / "old.npz", names=np.array(known), moves=many, likeness=many)
    moves, likeness = priors.read(tmp_path / "old.npz")
    assert moves[0, 0] == priors._UNKNOWN**2
    assert np.count_nonzero(moves[0]) == np.count_nonzero(likeness[0]) == 1
    assert moves[1, 2] == np.float16(0.01)
