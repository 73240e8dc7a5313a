"""Detector: lanes that are odd, and what is told of them. Numbers from real signals."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import numpy as np
import pytest

from proxy.analyse.drift.detector import LATE, Detector, full_length
from proxy.analyse.drift.told import Sample, Told
from proxy.analyse.drift.tuning import Tuning
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.reference import References
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES, signals_of

TEXTS = (
    "pong", "ding dong goes the bell", "it is raining again. All of it is wet", "Well, 2 is a number",
    "I think so: yes!", "no - never\nnever", "who knows, the cat may",
)  # fmt: skip
OTHER = "Today everything is said in quite another way, and at a length that nobody here is used to by now."
Seen = list[tuple[int, str, str]]


def fed(answer: Callable[[int], Answer], count: int, **wire: float) -> Seen:
    detector, references = Detector(20_000), References()
    told: Seen = []
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


WARM_UP = 200
TUNING = Tuning(warm_up=WARM_UP)


def by_lot(
    dice: np.random.Generator, *, moved: float = 0.0, prompts: float = 0.0, faulty: frozenset[str] = frozenset()
) -> Sample:
    """An answer whose numbers are normal; moved: by how much all of them."""
    return Sample(
        features=(dice.normal(size=len(NAMES)) + moved).astype(np.float32),
        prompt=(dice.normal(size=len(PROMPT_NAMES)) + prompts).astype(np.float32),
        faults=faulty,
    )


def raised_by(detector: Detector, samples: Iterable[Sample]) -> list[str]:
    return [one.subject for sample in samples for one in detector.feed(sample) if one.event == "raised"]


def test_a_calm_baseline_grows_to_three_times_its_length_and_no_further() -> None:
    detector, dice, lengths = Detector(20_000, TUNING), np.random.default_rng(1), []
    for _ in range(6 * WARM_UP):
        detector.feed(by_lot(dice))
        lengths.append(detector.baseline_answers)
    assert lengths[WARM_UP - 2] == 0
    assert lengths[WARM_UP - 1] == WARM_UP
    assert lengths == sorted(lengths)
    assert lengths[-1] == full_length(WARM_UP) == lengths[4 * WARM_UP]
    assert detector._outputs is not None
    assert detector._outputs.learned_from == full_length(WARM_UP)
    assert detector._kept is None  # nothing of it is kept longer than needed


def test_a_longer_baseline_finds_smaller_changes() -> None:
    found = []
    for calm in (WARM_UP + 20, 5 * WARM_UP):
        detector, dice = Detector(20_000, TUNING), np.random.default_rng(3)
        assert raised_by(detector, (by_lot(dice) for _ in range(calm))) == []
        found.append(raised_by(detector, (by_lot(dice, moved=0.06) for _ in range(700))))
    assert found == [[], ["output"]]


@pytest.mark.parametrize("change", [{"moved": 1.0}, {"prompts": 2.0}, {"faulty": frozenset({"leak"})}])
def test_an_alarm_ends_the_growth_before_what_moved(change: dict[str, Any]) -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(2)
    assert raised_by(detector, (by_lot(dice) for _ in range(WARM_UP + 60))) == []
    assert raised_by(detector, (by_lot(dice, **change) for _ in range(80)))
    assert WARM_UP <= detector.baseline_answers <= WARM_UP + 64
    before = detector.baseline_answers
    for _ in range(5 * WARM_UP):
        detector.feed(by_lot(dice))
    assert detector.baseline_answers == before


def test_prompts_that_change_while_the_baseline_grows_are_named_so() -> None:
    """What is usual of prompts is learned once: half of a grown baseline would show the change as their way."""
    for seed in range(3):
        detector, dice = Detector(20_000), np.random.default_rng(seed)
        raised = raised_by(detector, (by_lot(dice) for _ in range(880)))
        raised += raised_by(detector, (by_lot(dice, prompts=0.3) for _ in range(700)))
        assert raised == ["input"]


def test_prompts_that_come_again_and_again_weigh_in_the_baseline_as_later() -> None:
    """Half of them are one and the same prompt, and it counts for less; so it must in what others are compared with."""
    dice = np.random.default_rng(7)
    same = dice.normal(size=len(PROMPT_NAMES)).astype(np.float32) + 1.5
    detector = Detector(20_000)
    samples = [by_lot(dice) for _ in range(2000)]
    mixed = [msgspec.structs.replace(sample, prompt=same) if dice.random() < 0.5 else sample for sample in samples]
    assert raised_by(detector, mixed) == []


def test_the_steps_of_an_answer_tell_what_feeding_it_does() -> None:
    whole, stepped, dice = Detector(20_000, TUNING), Detector(20_000, TUNING), np.random.default_rng(5)
    most = 0
    for at in range(3 * WARM_UP):
        sample = by_lot(dice, moved=0.5 if at > 2.5 * WARM_UP else 0.0)
        steps, count = stepped.steps(sample), 0
        told: list[Told] = []
        while True:
            try:
                next(steps)
                count += 1
            except StopIteration as done:
                told = done.value
                break
        assert told == whole.feed(sample)
        most = max(most, count)
    assert most > 0
    assert stepped.standing == whole.standing != {}


def test_numbers_beyond_half_precision_harm_nothing() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(8)
    for at in range(3 * WARM_UP):
        sample = by_lot(dice)
        sample.features[at % len(NAMES)] = (1e38, -1e38, np.inf, np.nan)[at % 4]
        detector.feed(sample)
    assert detector.learned
    assert np.isfinite(detector.evidence["output"])


def test_an_output_alarm_ends_soon_after_the_answers_are_as_before() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(4)
    for _ in range(2 * WARM_UP):
        assert detector.feed(by_lot(dice)) in ([], [Told(event="baseline", kind="output", subject="output")])
    assert raised_by(detector, (by_lot(dice, moved=0.7) for _ in range(150))) == ["output"]
    since = [at for at in range(700) for one in detector.feed(by_lot(dice)) if one.event == "recovered"]
    assert len(since) == 1
    assert since[0] < 260
    assert not detector.standing


def test_a_small_change_that_lasts_stays_told_and_is_told_once() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(3)
    assert raised_by(detector, (by_lot(dice) for _ in range(5 * WARM_UP))) == []
    assert raised_by(detector, (by_lot(dice, moved=0.1) for _ in range(2500))) == ["output"]
    assert "output" in detector.standing


def test_an_alarm_tells_what_the_signals_are_since_it_began() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(6)
    raised_by(detector, (by_lot(dice) for _ in range(2 * WARM_UP)))
    told = [one for _ in range(40) for one in detector.feed(by_lot(dice, moved=4.0)) if one.event == "raised"]
    assert [one.subject for one in told] == ["output"]
    for signal in told[0].signals:
        assert signal.before == pytest.approx(0.0, abs=0.3)
        assert signal.after == pytest.approx(4.0, abs=1.5)  # of the answers since, not of those before mixed in


def test_what_the_baseline_knows_nothing_of_is_no_evidence_when_it_becomes_known() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(9)
    for at in range(4 * WARM_UP):
        sample = by_lot(dice)
        sample.prompt[-1] = np.nan if at < 0.9 * WARM_UP else 7.0 + sample.prompt[-1]
        sample.features[-1] = np.nan if at < 0.9 * WARM_UP else 7.0 + sample.features[-1]
        assert [one.event for one in detector.feed(sample) if one.event == "raised"] == []


@pytest.mark.parametrize("warm_up", [200, 333, 501, 750, 1500, 2000])
def test_every_baseline_is_learned_up_to_its_full_length(warm_up: int) -> None:
    detector, dice = Detector(20_000, Tuning(warm_up=warm_up)), np.random.default_rng(warm_up)
    for _ in range(full_length(warm_up) + LATE):
        detector.feed(by_lot(dice))
    assert detector._outputs is not None
    assert full_length(warm_up) <= detector._outputs.learned_from <= full_length(warm_up) + LATE
    assert not detector.growing


def test_two_faulty_answers_are_no_severe_change() -> None:
    detector, dice = Detector(2_000, TUNING), np.random.default_rng(12)
    raised_by(detector, (by_lot(dice) for _ in range(2 * WARM_UP)))
    leaking = (by_lot(dice, faulty=frozenset({"leak"})) for _ in range(30))
    told = [one for sample in leaking for one in detector.feed(sample) if one.event == "raised"]
    assert told[0].subject == "share:leak"
    assert told[0].ago < 8
    assert told[0].severity != "high"


def test_prompts_that_swing_need_more_each_time_and_are_never_past_telling() -> None:
    detector, dice = Detector(20_000, TUNING), np.random.default_rng(1)
    raised_by(detector, (by_lot(dice) for _ in range(WARM_UP + 100)))
    delays = []
    for swings in (0, 3, 1000):
        one = copy.deepcopy(detector)
        one.swings = swings
        told = (at for at in range(900) for event in one.feed(by_lot(dice, prompts=0.4)) if event.event == "raised")
        delays.append(next(told))
    assert delays[0] < delays[1] <= delays[2]
