"""Detector: one route and model. Learns a baseline, then tells what is no longer as it was. Pure and deterministic.

learning ──(warm-up)──▶ watching ◀──(evidence)──▶ alarmed, per kind ──(quiet for long)──▶ recovered
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from proxy.analyse.drift import priors
from proxy.analyse.drift.latency import Latency, Load
from proxy.analyse.drift.moved import LENGTHS, STEP, Single, Sums, detected, joint_of_answers, joint_of_prompts
from proxy.analyse.drift.ranks import Ranks, Scaled
from proxy.analyse.drift.repeats import Repeats
from proxy.analyse.drift.same import Same
from proxy.analyse.drift.severity import Severity, of_latency, of_move, of_share
from proxy.analyse.drift.shares import Share
from proxy.analyse.drift.tuning import DEFAULT, Tuning
from proxy.observe.quality import faults
from proxy.observe.quality.signals import NAMES, PLACE, PROMPT_NAMES

Vector = npt.NDArray[Any]
EventWord = Literal["baseline", "raised", "recovered"]
Kind = Literal["output", "input", "share", "latency", "exact"]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as the detector takes it: numbers only. None: not known."""

    features: Vector
    prompt: Vector
    faults: frozenset[str]
    latency_s: float | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    in_flight: int | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One signal that is not as it was. moved: of its mean, in standard deviations; None for shares and latency."""

    name: str
    before: float
    after: float
    moved: float | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of one detector."""

    event: EventWord
    kind: Kind
    subject: str  # the alarm that it is about: the kind, or `share:` and the fault
    signals: tuple[Moved, ...] = ()
    evidence: float = 0.0  # natural logarithm of the level
    ago: int = 1  # answers since it began, this one included
    severity: Severity = "none"


class Detector:
    """For one (route, model, digest)."""

    def __init__(self, budget: float, tuning: Tuning = DEFAULT) -> None:
        """budget: answers between two false alarms."""
        self.tuning = tuning
        self.standing: dict[str, int] = {}  # alarm -> answer at which it last had evidence
        self.evidence: dict[str, float] = {}
        self.count = 0  # answers since the baseline
        self.answers = 0  # of the baseline, too
        self.level = math.log(budget)  # evidence that an alarm needs at least
        self._first: list[Sample] = []
        self._loads: list[tuple[float, float]] = []
        self._load = Load()
        self._watch: _Watch | None = None
        self._doubt = False  # whether the prompts may not be what they were

    @property
    def learned(self) -> bool:
        """Whether there is a baseline."""
        return self._watch is not None

    def feed(self, sample: Sample) -> list[Told]:
        """What this answer showed."""
        load = self._load.add(sample.in_flight)
        self.answers += 1
        if self._watch is not None:
            self.count += 1
            return self._look(self._watch, sample, load)
        self._first.append(sample)
        self._loads.append(load)
        if len(self._first) < self.tuning.warm_up:
            return []
        self._watch = _Watch(self._first, self._loads, self.tuning)
        self._first, self._loads = [], []
        return [Told(event="baseline", kind="output", subject="output")]

    def _look(self, watch: _Watch, sample: Sample, load: tuple[float, float]) -> list[Told]:
        told: list[Told] = []
        key = _prompt_key(sample)
        watch.add(sample, watch.repeats.weight(key))
        if self.count % STEP == 0:
            watch.take_in()
            self._doubt = self._input(watch, told)
            self._output(watch, told, doubt=self._doubt)
            for event in told:
                if event.event == "recovered":
                    watch.forget(event.subject)
        found = watch.repeats.fresh(key, _counted(sample)) if sample.faults else set()
        self._shares(watch, found, told, doubt=self._doubt)
        self._latency(watch, sample, load, told)
        return told

    def _input(self, watch: _Watch, told: list[Told]) -> bool:
        """Whether the prompts may not be what they were."""
        if watch.input is None:
            return False
        doubted, evidence, length = watch.input_evidence()
        if self._risen("input", evidence, self.level + self.tuning.input_extra, told):
            signals = watch.input_moved(length)
            told.append(self._raised("input", evidence, length, signals, of_move(signals)))
        return doubted > self.tuning.input_doubt or "input" in self.standing

    def _output(self, watch: _Watch, told: list[Told], *, doubt: bool) -> None:
        if watch.same is not None:
            self._other(watch, watch.same, told)
            return
        (joint, length), (single, single_length) = watch.output_evidence()
        joint, single = joint - self.tuning.joint_extra, single - self.tuning.single_extra
        evidence = max(joint, single)
        if doubt and "output" not in self.standing:
            self.evidence["output"] = evidence
            return
        if self._risen("output", evidence, self.level, told):
            length = length if joint >= single else single_length
            signals = watch.output_moved(length)
            told.append(self._raised("output", evidence, length, signals, of_move(signals)))

    def _other(self, watch: _Watch, same: Same, told: list[Told]) -> None:
        """Where all answers were the same: whether they still are."""
        if not same.seen:
            self._ebb("output", told)
        elif self._risen("output", same.share.evidence, self.level + self.tuning.share_extra, told):
            ago = self.count - same.share.since + 1
            severity = of_share(Moved(name="other", before=0.0, after=same.share.recent(self.count, ago)))
            told.append(self._raised("output", same.share.evidence, ago, watch.now_other(same), severity))

    def _shares(self, watch: _Watch, found: set[str], told: list[Told], *, doubt: bool) -> None:
        for subject in [subject for subject in self.standing if subject.startswith("share:")]:
            if subject.removeprefix("share:") not in found:
                self._ebb(subject, told)
        strongest: dict[str, Share] = {}
        for name in sorted(found):
            share, fault = watch.shares[name], _PART_OF.get(name, name)
            share.feed(self.count)
            if fault not in strongest or share.evidence > strongest[fault].evidence:
                strongest[fault] = share
        for fault, share in strongest.items():
            subject, soft = f"share:{fault}", fault in _SOFT
            level = self.level + self.tuning.share_extra + (self.tuning.share_soft if soft else 0.0)
            if doubt and soft and subject not in self.standing:
                self.evidence[subject] = share.evidence
                continue
            if doubt and fault in _DEPEND_ON_PROMPTS:
                level += self.tuning.share_doubt
            if self._risen(subject, share.evidence, level, told):
                ago, whole = self.count - share.since + 1, watch.shares[fault]
                signal = Moved(name=fault, before=whole.had / whole.of, after=whole.recent(self.count, ago))
                told.append(self._raised(subject, share.evidence, ago, (signal,), of_share(signal)))

    def _latency(self, watch: _Watch, sample: Sample, load: tuple[float, float], told: list[Told]) -> None:
        latency = watch.latency
        if latency is None or not sample.latency_s or sample.tokens is None:
            return
        evidence = latency.feed(sample.latency_s, sample.tokens, sample.prompt_tokens or 0, load)
        if self._risen("latency", evidence, self.level + self.tuning.latency_extra, told):
            signal = Moved(name="latency", before=1.0, after=math.exp(latency.effect))
            told.append(self._raised("latency", evidence, latency.ago, (signal,), of_latency(signal)))

    def _risen(self, subject: str, evidence: float, level: float, told: list[Told]) -> bool:
        """Whether an alarm begins. A standing one lives on with half of the evidence, else it ebbs."""
        self.evidence[subject] = evidence
        if subject in self.standing:
            if evidence > level / 2:
                self.standing[subject] = self.count
            self._ebb(subject, told)
            return False
        if evidence < level:
            return False
        self.standing[subject] = self.count
        return True

    def _ebb(self, subject: str, told: list[Told]) -> None:
        last = self.standing.get(subject)
        if last is not None and self.count - last >= self.tuning.quiet:
            del self.standing[subject]
            told.append(Told(event="recovered", kind=_kind(subject), subject=subject, ago=self.count - last))

    def _raised(self, subject: str, evidence: float, ago: int, signals: tuple[Moved, ...], severity: Severity) -> Told:
        return Told(
            event="raised", kind=_kind(subject), subject=subject, signals=signals, evidence=evidence, ago=ago,
            severity=severity,
        )  # fmt: skip


class _Watch:
    """What was learned, and what came since."""

    def __init__(self, first: list[Sample], loads: list[tuple[float, float]], tuning: Tuning) -> None:
        features = np.stack([sample.features for sample in first])
        prompts = np.stack([sample.prompt for sample in first])
        self._ranks = Ranks(features, prompts)
        weights = priors.MOVES[self._ranks.places]
        scores, topics = self._ranks.scores, self._ranks.topics
        self.joint = joint_of_answers(
            scores, np.diag(weights), tuning.joint_scales, topics, block=tuning.block, shrink=tuning.shrink,
            wander=tuning.wander,
        )  # fmt: skip
        self.single = Single(scores, weights, tuning.single_scales, topics, block=tuning.block, wander=tuning.wander)
        self.same = None if scores.shape[1] else Same(features)
        self._sums, self._joint_sums = Sums(scores.shape[1]), Sums(scores.shape[1])
        self._scaled = Scaled(prompts)
        width = len(self._scaled.places)
        prior = topics.apart(self._scaled.scores) + tuning.input_floor * np.eye(width)
        self.input = (
            joint_of_prompts(
                self._scaled.scores, prior, tuning.input_scales, shrink=tuning.input_shrink, wander=tuning.input_wander
            )
            if width
            else None
        )  # fmt: skip
        self._input_sums, self._turned_sums = Sums(width), Sums(width)
        self.repeats = Repeats((_prompt_key(one), _counted(one)) for one in first)
        names = (*faults.NAMES, *_PART_OF)
        self.shares = {name: Share(self.repeats.had[name], len(first)) for name in names}
        self.latency = _latency_of(first, loads, tuning)
        with np.errstate(all="ignore"):
            self._before = _means(features)
            self._prompt_before = _means(prompts)
        self._after, self._prompt_after = self._before.copy(), self._prompt_before.copy()
        self._last = np.zeros((0, 0))
        self._waiting: list[tuple[Vector, Vector, float]] = []
        del self._ranks.scores  # of the baseline: only asked above, and the largest thing of a route

    def add(self, sample: Sample, weight: float) -> None:
        """One more answer; weight: in (0, 1], how much it counts. It waits until `take_in`."""
        self._waiting.append((sample.features, sample.prompt, weight))

    def take_in(self) -> None:
        """All that wait, at once."""
        features = np.stack([waiting[0] for waiting in self._waiting])
        prompts = np.stack([waiting[1] for waiting in self._waiting])
        weight = np.array([waiting[2:] for waiting in self._waiting], np.float32)
        self._waiting.clear()
        scores = weight * self._ranks.score(features, prompts, self._sums.count)
        self._sums.add(scores)
        self._joint_sums.add(self.joint.turn(scores))
        self._last = self._sums.last()
        if self.same is not None:
            self.same.feed(features, self._sums.count)
        _ease(self._after, features)
        _ease(self._prompt_after, prompts)
        if self.input is not None:
            scores = weight * self._scaled.score(prompts)
            self._input_sums.add(scores)
            self._turned_sums.add(self.input.turn(scores))

    def forget(self, subject: str) -> None:
        """What was told, and is over, is no evidence any more; the longest sums would still hold it."""
        for sums in {"output": (self._sums, self._joint_sums), "input": (self._input_sums, self._turned_sums)}[subject]:
            sums.forget()

    def input_evidence(self) -> tuple[float, float, int]:
        """That the prompts may have changed; that they surely did, and over how many answers it is seen best.

        A few odd prompts are doubtful. They are no change.
        """
        assert self.input is not None
        evidence = self.input.evidence(self._turned_sums.last())
        return detected(evidence)[0], *detected(evidence, self.input.shortest)

    def output_evidence(self) -> tuple[tuple[float, int], tuple[float, int]]:
        """That the answers changed: by all signals together, and by one of them."""
        return detected(self.joint.evidence(self._joint_sums.last())), detected(self.single.evidence(self._last))

    def now_other(self, same: Same) -> tuple[Moved, ...]:
        """Signals that never varied, and do now."""
        return tuple(
            Moved(name=NAMES[at], before=round(float(self._before[at]), 4), after=round(float(same.last[at]), 4))
            for at in same.differing[:_TOP]
        )

    def output_moved(self, length: int) -> tuple[Moved, ...]:
        """The signals that moved most."""
        return _moved(self._last, length, self._ranks.places, NAMES, self._before, self._after)

    def input_moved(self, length: int) -> tuple[Moved, ...]:
        """The same of the prompts."""
        places = self._scaled.places
        return _moved(self._input_sums.last(), length, places, PROMPT_NAMES, self._prompt_before, self._prompt_after)


def _moved(
    sums: Vector, length: int, places: Vector, names: tuple[str, ...], before: Vector, after: Vector
) -> tuple[Moved, ...]:
    means = sums[int(np.searchsorted(LENGTHS, length))] / length
    top = np.argsort(-np.abs(means))[:_TOP]
    return tuple(
        Moved(
            name=names[place], before=round(float(before[place]), 4), after=round(float(after[place]), 4),
            moved=round(float(means[at]), 3),
        )
        for at, place in zip(top, places[top], strict=True)
    )  # fmt: skip


def _counted(sample: Sample) -> frozenset[str]:
    """Its faults, as they are counted: a refusal in a few words also by itself, as sound models seldom make one."""
    if "refusal" in sample.faults and sample.features[_LOG_CHARS] < _BRIEF:
        return sample.faults | {"brief_refusal"}
    return sample.faults


def _prompt_key(sample: Sample) -> bytes:
    """What identifies the prompt: its features; where it is not known, those of the answer."""
    if sample.prompt[0] > 0:
        return sample.prompt[:_PLAIN_PROMPT].tobytes()
    return sample.features[:_PLAIN].tobytes()


def _latency_of(first: list[Sample], loads: list[tuple[float, float]], tuning: Tuning) -> Latency | None:
    timed = [
        (sample.latency_s, sample.tokens, sample.prompt_tokens or 0, load)
        for sample, load in zip(first, loads, strict=True)
        if sample.latency_s and sample.tokens is not None
    ]
    if len(timed) < _FEW_TIMED:
        return None
    seconds, tokens, prompts, load = (np.array(column, float) for column in zip(*timed, strict=True))
    return Latency(seconds, tokens, prompts, load, tuning.latency_tolerance)


def _means(values: Vector) -> Vector:
    known = np.isfinite(values)
    means: Vector = np.where(known, values, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    return means


def _ease(mean: Vector, values: Vector) -> None:
    """Draw a mean of the last answers towards some more of them."""
    left = (values - mean).sum(0)
    left[np.isnan(left)] = 0.0
    mean += left / _LATELY


def _kind(subject: str) -> Kind:
    return "share" if subject.startswith("share:") else subject  # type: ignore[return-value]


_PART_OF: Final = {"brief_refusal": "refusal"}  # counted by itself, told as the whole
_LOG_CHARS: Final = PLACE["log_chars"]
_BRIEF: Final = math.log1p(400)  # characters
_TOP: Final = 5
_PLAIN_PROMPT: Final = PROMPT_NAMES.index("prompt_strange_bytes")  # before it, nothing that is learned
_PLAIN: Final = 20
_FEW_TIMED: Final = 100
_LATELY: Final = 30.0
# Other prompts bring more or fewer of these by themselves.
_SOFT: Final = frozenset({"unended", "off_prompt"})  # some prompts bring them to any model: these wait, as output does
_DEPEND_ON_PROMPTS: Final = frozenset({"refusal", "language", "truncated", "json"})
