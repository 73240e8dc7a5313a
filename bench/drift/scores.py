"""How well the quality score ranks models: Spearman against win rates. `python -m bench.drift.scores --data DIR`.

The published weights were set on these models, so their own figure flatters. The honest one leaves a family out:
weights are fitted anew without it (ridge towards the published ones, none negative), and rank it.

The data has no length-controlled win rates. Their stand-in: one model told to be concise and told to be verbose differs
in nothing but length, so what its win rates differ by is what length earns; that is taken off every model's.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.drift.material import Materials, family, read_materials
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.answered import Answered
from proxy.observe.quality.score import WEIGHTS, Scored, score
from proxy.observe.quality.signals import signals_of

Vector = NDArray[np.float64]
_TWINS: Final = ("gpt-3.5-turbo-1106_concise", "gpt-3.5-turbo-1106_verbose")
_RIDGE: Final = 1.0
_RESAMPLES: Final = 2000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drift.scores")
    parser.add_argument("--data", type=Path, default=Path("../shared/drift-data"))
    materials = read_materials(parser.parse_args().data, "all")
    models = sorted(materials.win_rates)
    families = [family(model) for model in models]
    parts, names, cost_us = _parts(materials, models)
    odds = np.array([_logit(materials.win_rates[model]) for model in models])
    freed = odds - _length_earns(materials, models, odds)
    weights = np.array([WEIGHTS[name] for name in names])
    print(f"{len(models)} models, {cost_us:.0f} us an answer, signals included\n")
    print("| | win rate | length-controlled (stand-in) |\n| --- | --- | --- |")
    _print("published weights", parts @ weights, odds, freed, families)
    _print("fitted without the family", _left_out(parts, weights, odds, freed, families), odds, freed, families)
    lengths = np.array([_mean_chars(materials, model) for model in models])
    _print("length alone", lengths, odds, freed, families)
    for number, name in enumerate(names):
        _print(f"`{name}` alone", parts[:, number], odds, freed, families)


def _parts(materials: Materials, models: list[str]) -> tuple[NDArray[np.float64], list[str], float]:
    """Mean of each part by model, as a matrix; those parts that are known without a wire; microseconds an answer."""
    prompts = {prompt.pid: prompt.text for prompt in materials.chat.prompts}
    begun, answers = time.process_time(), 0
    rows = []
    names = [name for name in WEIGHTS if name != "latency"]
    for model in models:
        scored = [_scored(prompts[pid], text) for pid, text in materials.chat.answers[model].items() if pid in prompts]
        answers += len(scored)
        rows.append([sum(one.parts[name] for one in scored) / len(scored) for name in names])
    return np.array(rows), names, 1e6 * (time.process_time() - begun) / answers


def _scored(prompt: str, response: str) -> Scored:
    answer = Answer(prompt=prompt, response=response)
    scored = score(Answered(answer=answer, signals=signals_of(answer)))
    assert scored is not None
    return scored


def _length_earns(materials: Materials, models: list[str], odds: Vector) -> Vector:
    lengths = np.log([_mean_chars(materials, model) for model in models])
    short, long = (models.index(model) for model in _TWINS)
    slope = (odds[long] - odds[short]) / (lengths[long] - lengths[short])
    earned: Vector = slope * (lengths - lengths.mean())
    return earned


def _mean_chars(materials: Materials, model: str) -> float:
    answers = materials.chat.answers[model].values()
    return sum(map(len, answers)) / len(answers)


def _left_out(parts: Vector, weights: Vector, odds: Vector, freed: Vector, families: list[str]) -> Vector:
    spread = parts.std(axis=0) + 1e-9
    scaled = (parts - parts.mean(axis=0)) / spread
    goal = _ranks(_ranks(odds) + _ranks(freed))
    goal = (goal - goal.mean()) / goal.std()
    prior = weights * spread
    prior = prior / np.std(scaled @ prior)
    given = np.empty(len(families))
    for name in set(families):
        out = np.array([one == name for one in families])
        given[out] = scaled[out] @ _fitted(scaled[~out], goal[~out], prior)
    return given


def _fitted(scaled: Vector, goal: Vector, prior: Vector) -> Vector:
    """Ridge towards the prior, no weight negative: projected gradient."""
    curve = scaled.T @ scaled / len(goal) + _RIDGE * np.eye(len(prior))
    pull = scaled.T @ goal / len(goal) + _RIDGE * prior
    step = 1.0 / np.linalg.eigvalsh(curve)[-1]
    fitted = prior
    for _ in range(2000):
        fitted = np.maximum(fitted - step * (curve @ fitted - pull), 0.0)
    return fitted


def _print(name: str, given: Vector, odds: Vector, freed: Vector, families: list[str]) -> None:
    cells = []
    for goal in (odds, freed):
        low, high = _interval(given, goal, families)
        cells.append(f"{_spearman(given, goal):+.2f} [{low:+.2f} – {high:+.2f}]")
    print(f"| {name} | {' | '.join(cells)} |")


def _interval(one: Vector, other: Vector, families: list[str]) -> tuple[float, float]:
    """95 %, by drawing families anew; a family drawn twice counts twice, with one rank."""
    rng = Random(1)
    members = {name: [place for place, of in enumerate(families) if of == name] for name in set(families)}
    names = sorted(members)
    drawn = []
    for _ in range(_RESAMPLES):
        places = [place for name in rng.choices(names, k=len(names)) for place in members[name]]
        drawn.append(_spearman(one[places], other[places]))
    drawn = sorted(value for value in drawn if not math.isnan(value))
    if not drawn:
        return math.nan, math.nan
    return drawn[int(0.025 * len(drawn))], drawn[int(0.975 * len(drawn)) - 1]


def _spearman(one: Vector, other: Vector) -> float:
    first, second = _ranks(one), _ranks(other)
    if first.std() == 0 or second.std() == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: Vector) -> Vector:
    """Ranks, ties shared."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Vector = (ends - (counts - 1) / 2.0)[places]
    return shared


def _logit(percent: float) -> float:
    return math.log(percent / (100.0 - percent))


if __name__ == "__main__":
    main()
