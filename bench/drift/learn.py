"""Learns the detector's priors: how models differ, and how their numbers go along. `python -m bench.drift.learn`.

Each model is taken as a baseline, each other one as what came after it, on the same prompts. Of all such changes: the
mean product of the moves of each two signals, in normal scores; moves are counted by `_LARGE` less where they are large
as a whole, and by `_AKIN` more where both models are of one family. And of all models: the correlation of their scores.

    python -m bench.drift.learn --split tune --fold 2 --out priors.npz
    python -m bench.drift --priors priors.npz --split models --fold 2
"""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.drift.answers import Answer, record
from bench.drift.material import Material, family, in_split, read_materials
from bench.drift.traffic import Moment
from proxy.analyse.drift.ranks import Ranks
from proxy.analyse.drift.replay import answer_of
from proxy.observe.quality.reference import LEARNED_FROM, References
from proxy.observe.quality.signals import NAMES, PLACE, Signals, signals_of

Matrix = npt.NDArray[Any]

_LARGE: Final = 0.5  # power of a move's square by which it counts less
_AKIN: Final = 3.0
_FLOOR: Final = 0.2  # of the variance, that which goes along with nothing
_TOTAL: Final = 2.0  # variance of a move in all: the detector tries several scales of it
_LEAST: Final = 0.05**2
_TOGETHER: Final = 20
_LEARNED: Final = [PLACE["strange_bytes"], PLACE["strange_grams"]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drift.learn", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/drift-data"))
    parser.add_argument("--split", choices=("tune", "all"), default="all", help="families of models to learn from")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("proxy/analyse/drift/priors.npz"))
    options = parser.parse_args()
    material = read_materials(options.data, "all").chat
    models = [name for name in sorted(material.answers) if in_split(family(name), options.split, options.fold)]
    moves, likeness = learn(material, models)
    np.savez_compressed(
        options.out, names=np.array(NAMES), moves=moves.astype(np.float16), likeness=likeness.astype(np.float16)
    )
    print(f"{len(models)} models -> {options.out}, {options.out.stat().st_size} bytes")


def learn(material: Material, models: list[str]) -> tuple[Matrix, Matrix]:
    """Second moments of moves, and likeness of scores: each signals x signals."""
    dice = Random(5)
    signals = {
        (name, prompt.pid): _signals(material, name, prompt, dice) for name in models for prompt in material.prompts
    }
    moved, likeness = np.zeros((2, len(NAMES), len(NAMES)))
    known = np.zeros_like(likeness)
    for before in models:
        pids = [prompt.pid for prompt in material.prompts]
        dice.shuffle(pids)
        references = References()
        for pid in pids[:LEARNED_FROM]:
            references.filled(signals[before, pid])
        features, prompts = _stacked(references, [signals[before, pid] for pid in pids])
        features[:LEARNED_FROM, _LEARNED] = np.nan  # these would find themselves
        ranks = Ranks(features, prompts)
        places = np.ix_(ranks.places, ranks.places)
        likeness[places] += ranks.scores.T @ ranks.scores / len(pids)
        known[places] += 1
        for after in models:
            if after != before:
                one, other = _halves(ranks, *_stacked(references, [signals[after, pid] for pid in pids]))
                size = max(float(one @ other), 0.1)  # of halves: free of chance
                weight = size**-_LARGE * (_AKIN if family(before) == family(after) else 1.0)
                moved[places] += weight * (np.outer(one, other) + np.outer(other, one)) / 2
    likeness = np.where(known > 0, likeness / np.maximum(known, 1), np.eye(len(NAMES)))
    np.fill_diagonal(likeness, 1.0)
    values, vectors = np.linalg.eigh(moved)
    moves = (vectors * np.maximum(values, 0.0)) @ vectors.T
    moves *= _TOTAL / np.trace(moves)
    return (1 - _FLOOR) * moves + np.diag(np.maximum(_FLOOR * np.diag(moves), _LEAST)), likeness


def _signals(material: Material, model: str, prompt: Any, dice: Random) -> Signals:
    moment = Moment(prompt=prompt, load=1.0, in_flight=1)
    return signals_of(answer_of(record(Answer(moment, material.answers[model].get(prompt.pid, "")), dice)))


def _stacked(references: References, signals: list[Signals]) -> tuple[Matrix, Matrix]:
    filled = [references.filled(one) for one in signals]
    return np.stack([one.features for one in filled]), np.stack([one.prompt for one in filled])


def _halves(ranks: Ranks, features: Matrix, prompts: Matrix) -> tuple[Matrix, Matrix]:
    """Mean scores of every other answer, and of the rest."""
    scores = np.concatenate(
        [ranks.score(features[at : at + _TOGETHER], prompts[at : at + _TOGETHER], at)
         for at in range(0, len(features), _TOGETHER)]
    )  # fmt: skip
    return scores[::2].mean(0), scores[1::2].mean(0)


if __name__ == "__main__":
    main()
