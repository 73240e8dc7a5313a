"""Detector: lanes that are odd, and what is told of them. Numbers from real signals."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from proxy.analyse.drift.detector import Detector, Sample
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.reference import References
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES, signals_of

TEXTS = (
    "pong", "ding dong goes the bell", "it is raining again. All of it is wet", "Well, 2 is a number",
    "I think so: yes!", "no - never\nnever", "who knows, the cat may",
)  # fmt: skip
OTHER = "Today everything is said in quite another way, and at a length that nobody here is used to by now."
Told = list[tuple[int, str, str]]


def fed(answer: Callable[[int], Answer], count: int, **wire: float) -> Told:
    detector, references = Detector(20_000), References()
    told: Told = []
    for index in range(count):
        signals = references.filled(signals_of(answer(index)))
        sample = Sample(features=signals.features, prompt=signals.prompt, faults=signals.faults, **wire)  # type: ignore[arg-type]
        told += [(index, one.event, one.subject) for one in detector.feed(sample)]
    return told


@pytest.mark.parametrize("prompts", [("ping",), ("ping", "ring the bell now, please"), ("",)])
def test_answers_that_are_all_the_same_raise_nothing(prompts: tuple[str, ...]) -> None:
    told = fed(lambda at: Answer(response="pong", prompt=prompts[at % len(prompts)]), 1200, latency_s=1.0, tokens=1)
    assert told == [(499, "baseline", "output")]


def test_the_first_other_answers_are_told_and_recover() -> None:
    told = fed(lambda at: Answer(response=OTHER if 700 <= at < 720 else "pong", prompt="ping"), 1000)
    assert [(event, subject) for _, event, subject in told[1:]] == [("raised", "output"), ("recovered", "output")]
    assert 700 <= told[1][0] < 710


@pytest.mark.parametrize("kinds", [2, 3, 5, 7])
def test_a_few_answers_by_lot_raise_nothing(kinds: int) -> None:
    for seed in (0, 5):
        dice = random.Random(seed)
        told = fed(lambda _, dice=dice: Answer(response=TEXTS[dice.randrange(kinds)], prompt="ping"), 1100)  # type: ignore[misc]
        assert told == [(499, "baseline", "output")]


def test_answers_in_turn_raise_nothing() -> None:
    assert fed(lambda at: Answer(response=TEXTS[at % 2], prompt="ping"), 1000) == [(499, "baseline", "output")]


def test_nothing_known_of_any_answer() -> None:
    detector = Detector(20_000)
    nothing = Sample(
        features=np.full(len(NAMES), np.nan, np.float32),
        prompt=np.full(len(PROMPT_NAMES), np.nan, np.float32),
        faults=frozenset(),
    )
    told = [one.event for _ in range(800) for one in detector.feed(nothing)]
    assert told == ["baseline"]


def test_few_latencies_are_watched_not() -> None:
    detector = Detector(20_000)
    for index in range(700):
        signals = signals_of(Answer(response=TEXTS[index % 7], prompt="ping"))
        detector.feed(
            Sample(
                features=signals.features, prompt=signals.prompt, faults=signals.faults,
                latency_s=1.0 if index % 50 == 0 else None, tokens=5,
            )
        )  # fmt: skip
    assert "latency" not in detector.evidence
    assert not detector.standing


def test_faults_that_prompts_bring_wait_while_the_prompts_may_have_changed() -> None:
    dice = np.random.default_rng(4)
    for moved, expected in ((0.0, {"share:unended"}), (3.0, {"input"})):
        detector = Detector(20_000)
        raised: set[str] = set()
        for index in range(900):
            changed = index >= 600
            prompt = dice.normal(size=len(PROMPT_NAMES)) + (moved if changed and index % 2 else 0.0)
            sample = Sample(
                features=dice.normal(size=len(NAMES)).astype(np.float32),
                prompt=prompt.astype(np.float32),
                faults=frozenset({"unended"} if changed and index >= 620 and index % 3 == 0 else ()),
            )
            raised |= {one.subject for one in detector.feed(sample) if one.event == "raised"}
        assert raised == expected
