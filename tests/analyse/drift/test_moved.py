"""Moved: prompts in runs are no change of their mix; what is over and told is no evidence any more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from proxy.analyse.drift import runs
from proxy.analyse.drift.moved import LENGTHS, STEP, Joint, Sums, detected, joint_of_prompts

WIDTH = 6
FIRST = 200


def asked(seed: int, count: int, run: float) -> npt.NDArray[Any]:
    """Numbers of prompts of four kinds; runs of so many on average, in which half are of one kind."""
    dice, centres = np.random.default_rng(seed), np.random.default_rng(0).normal(size=(4, WIDTH))
    kinds, kind = np.zeros(count, int), 0
    for at in range(count):
        kind = dice.integers(4) if dice.random() < 1 / run else kind
        kinds[at] = kind if dice.random() < 0.5 else dice.integers(4)
    found: npt.NDArray[Any] = centres[kinds] + dice.normal(size=(count, WIDTH))
    return found


def learned(first: npt.NDArray[Any]) -> Joint:
    return joint_of_prompts(first, np.eye(WIDTH), (1.0, 0.25), floor=0.0, shrink=0.3, wander=1.0)


def most(joint: Joint, later: npt.NDArray[Any]) -> float:
    sums, found = Sums(np.zeros(WIDTH), 500, 500), -np.inf
    for at in range(0, len(later), STEP):
        sums.add(joint.turn(later[at : at + STEP]))
        found = max(found, detected(joint.evidence(sums.last()), joint.shortest)[0])
    return float(found)


def standard(seed: int, run: float) -> tuple[Joint, Any]:
    first = asked(seed, 500, run)
    mean, spread = first.mean(0), first.std(0)

    def scaled(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = (values - mean) / spread
        return found

    return learned(scaled(first)), scaled


@pytest.mark.parametrize("run", [1.0, 12.0])
@pytest.mark.parametrize("seed", range(1, 5))
def test_the_same_mix_is_no_change_and_one_kind_alone_is(seed: int, run: float) -> None:
    joint, scaled = standard(seed, run)
    one_kind = np.random.default_rng(0).normal(size=(4, WIDTH))[2] + np.random.default_rng(9).normal(size=(1000, WIDTH))

    assert most(joint, scaled(asked(seed + 50, 2500, run))) < 10
    assert most(joint, scaled(one_kind)) > 12


def test_runs_show_in_what_lasts_and_independent_prompts_do_not() -> None:
    joint, _ = standard(1, 12.0)
    calm, _ = standard(1, 1.0)

    assert joint.noise[-1].max() > 3 > 1.5 > calm.noise[-1].max()


def test_nothing_lasts_of_too_few_answers() -> None:
    assert (runs.growth(np.zeros((40, 2)), LENGTHS) == 0).all()


def test_sums_are_those_of_the_last_answers_until_forgotten() -> None:
    rows = np.random.default_rng(2).normal(size=(3000, 3)).astype(np.float32)
    sums = Sums(np.zeros(3), 500, 500)
    for at in range(0, len(rows), STEP):
        sums.add(rows[at : at + STEP])
    assert sums.last() == pytest.approx(np.stack([rows[-n:].sum(0) for n in LENGTHS]), abs=1e-2)

    sums.forget()
    sums.add(rows[:STEP])

    assert len(sums.last()) == 2
    assert sums.last()[0] == pytest.approx(rows[:STEP].sum(0), abs=1e-2)


def expected(rows: npt.NDArray[Any], until: int) -> npt.NDArray[Any]:
    """By the definition. rows: those of the baseline, too; until: how many of all are compared with at most."""
    found = []
    for n in LENGTHS:
        if n > len(rows) - FIRST:
            break
        before = rows[: min(len(rows) - n, until)]
        found.append(rows[-n:].sum(0) - n * before.mean(0))
    return np.stack(found)


@pytest.mark.parametrize("fed", [4, 100, 300, 1200, 3000])
def test_sums_are_compared_with_all_before_them_as_far_as_the_baseline_reaches(fed: int) -> None:
    rows = 1 + np.random.default_rng(fed).normal(size=(FIRST + fed, 3)).astype(np.float32)
    sums = Sums(rows[:FIRST].sum(0), FIRST, 3 * FIRST)
    for at in range(FIRST, len(rows), STEP):
        sums.add(rows[at : at + STEP])
    assert sums.last() == pytest.approx(expected(rows, 3 * FIRST), abs=2e-2)
    assert sums.compared().max() == min(FIRST + fed - LENGTHS[0], 3 * FIRST)


@pytest.mark.parametrize("ago", [1, 30, 5000])
def test_what_moved_is_never_compared_with(ago: int) -> None:
    rows = np.random.default_rng(ago).normal(size=(FIRST + 640, 3)).astype(np.float32)
    sums = Sums(rows[:FIRST].sum(0), FIRST, 3 * FIRST)
    for at in range(FIRST, len(rows), STEP):
        sums.add(rows[at : at + STEP])
        if at == FIRST + 200 - STEP:
            sums.freeze(ago)
            sums.freeze(1)  # a later alarm takes nothing back
    until = FIRST + max(200 - -(-ago // STEP) * STEP, 0)
    assert sums.last() == pytest.approx(expected(rows, until), abs=2e-2)
    assert sums.compared().max() == until


def test_sums_are_as_exact_after_a_long_time() -> None:
    """In single precision a total of millions would round each answer away."""
    rows = (1000 + np.random.default_rng(1).integers(0, 8, size=(40 * 1028, 2))).astype(np.float32)
    sums = Sums(np.zeros(2), 0, 0)
    for _ in range(3):
        for at in range(0, len(rows), STEP):
            sums.add(rows[at : at + STEP])
    assert sums.last()[0] == pytest.approx(rows[-LENGTHS[0] :].sum(0), abs=0.3)
