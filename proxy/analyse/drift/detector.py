"""Detector: one route and model. Learns a baseline, then tells what is no longer as it was. Pure and deterministic.

learning ──(warm-up)──▶ watching ◀──(evidence)──▶ alarmed, per kind ──(quiet for long)──▶ recovered
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Final

import numpy as np

from proxy.analyse.drift.inputs import Inputs
from proxy.analyse.drift.kept import Kept, rounded
from proxy.analyse.drift.latency import Latency, Load
from proxy.analyse.drift.moved import STEP
from proxy.analyse.drift.outputs import Outputs
from proxy.analyse.drift.ranks import Ranks
from proxy.analyse.drift.repeats import Repeats
from proxy.analyse.drift.same import Same
from proxy.analyse.drift.severity import Severity, of_latency, of_move, of_share
from proxy.analyse.drift.shares import Share
from proxy.analyse.drift.told import Kind, Moved, Sample, Told, Vector
from proxy.analyse.drift.tuning import DEFAULT, Tuning
from proxy.observe.quality import faults
from proxy.observe.quality.signals import PLACE, PROMPT_NAMES

_GROWN: Final = 3  # times as many answers as at first, that a baseline is learned from in the end
_MOST: Final = 1500  # answers that it grows to at most
LATE: Final = 200  # answers for which learning it may be put off in the end, until it is calm
Timed = tuple[float, int, int, tuple[float, float]]  # seconds, tokens, tokens of the prompt, load


def full_length(warm_up: int) -> int:
    """Answers that a baseline is learned from in the end, if nothing is told before."""
    most = max(warm_up, min(_GROWN * warm_up, _MOST))
    return most - (most - warm_up) % STEP  # it grows in whole steps


class Detector:
    """For one (route, model, digest)."""

    def __init__(self, budget: float, tuning: Tuning = DEFAULT) -> None:
        """budget: answers between two false alarms."""
        self.tuning = tuning
        self.standing: dict[str, int] = {}  # alarm -> answer at which it last had evidence
        self.evidence: dict[str, float] = {}
        self.count = 0  # answers since the baseline was first learned
        self.answers = 0  # those of it, too
        self.level = math.log(budget)  # evidence that an alarm needs at least
        self.grows_to = full_length(tuning.warm_up)
        self._kept: Kept | None = Kept(tuning.warm_up)  # None: it grows no more
        self._faults: list[tuple[bytes, frozenset[str]]] = []  # of the first answers, with what identifies the prompt
        self._timed: list[Timed] = []  # those that tell how long they took
        self._load = Load()
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._waiting: list[tuple[Vector, Vector, float]] = []  # until there are STEP of them
        self._repeats = Repeats()
        self._share_of: dict[str, Share] = {}
        self._slow: Latency | None = None
        self.swings = 0  # alarms of the prompts that came and went
        self._doubt = False  # whether the prompts may not be what they were

    @property
    def learned(self) -> bool:
        """Whether there is a baseline."""
        return self._outputs is not None

    @property
    def growing(self) -> bool:
        """Whether the baseline may still be learned from more answers."""
        return self._kept is not None

    @property
    def baseline_answers(self) -> int:
        """Answers that the last ones are compared with at most; 0 before there is a baseline."""
        return self._outputs.compared if self._outputs is not None else 0

    def feed(self, sample: Sample) -> list[Told]:
        """What this answer showed."""
        steps = self.steps(sample)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: list[Told] = done.value
                return found

    def steps(self, sample: Sample) -> Generator[None, None, list[Told]]:
        """The same a step at a time: learning takes as long as some hundred answers. To be gone through to the end."""
        load = self._load.add(sample.in_flight)
        self.answers += 1
        key = _prompt_key(sample)
        if self._outputs is None or self._inputs is None:
            return (yield from self._learn(sample, key, load))
        self.count += 1
        weight = self._repeats.weight(key)
        if self._kept is not None:
            self._kept.add(sample.features, sample.prompt, weight)
        self._waiting.append((sample.features, sample.prompt, weight))
        told = self._look(self._outputs, self._inputs, sample, key, load)
        raised = [one.ago for one in told if one.event == "raised"]
        if raised:
            self.freeze(max(raised))
        elif self._kept is not None and self.count % STEP == 0:
            yield from self._grow(self._kept, self._outputs.learned_from)
        return told

    def freeze(self, ago: int) -> None:
        """The baseline grows no more; the last answers, so many, are no part of it."""
        if self._outputs is not None and self._inputs is not None:
            self._kept = None
            self._outputs.freeze(ago)
            self._inputs.freeze(ago)

    def _learn(self, sample: Sample, key: bytes, load: tuple[float, float]) -> Generator[None, None, list[Told]]:
        assert self._kept is not None
        self._kept.add(sample.features, sample.prompt, 1.0)
        self._faults.append((key, _counted(sample)))
        if sample.latency_s and sample.tokens is not None:
            self._timed.append((sample.latency_s, sample.tokens, sample.prompt_tokens or 0, load))
        if self._kept.count < self.tuning.warm_up:
            return []
        self._repeats = Repeats(self._faults)
        self._kept.weigh(self._repeats.weights)
        outputs = yield from self._outputs_of(self._kept)
        self._inputs = Inputs(self._kept, outputs.topics, self.grows_to, self.tuning)
        names = (*faults.NAMES, *_PART_OF)
        self._share_of = {name: Share(self._repeats.had[name], len(self._faults)) for name in names}
        self._slow = _latency_of(self._timed, self.tuning)
        self._faults, self._timed = [], []
        self._outputs = outputs
        if outputs.same is not None:
            self._kept = None
        return [Told(event="baseline", kind="output", subject="output")]

    def _grow(self, kept: Kept, of: int) -> Generator[None, None, None]:
        """Learn anew from twice, then three times as many answers; only while nothing seems to move."""
        stage = min((of // self.tuning.warm_up + 1) * self.tuning.warm_up, self.grows_to)
        if kept.count < stage:
            return
        likely = max(self.evidence.get(subject, 0.0) for subject in ("output", "input"))
        calm = likely < self.level / 2 and not self._doubt
        if calm:
            self._outputs = yield from self._outputs_of(kept)
            for share in self._share_of.values():
                share.grow(self.count)
        if kept.count >= self.grows_to + (0 if calm else LATE):
            self._kept = None

    def _outputs_of(self, kept: Kept) -> Generator[None, None, Outputs]:
        ranks = Ranks(kept.features, kept.prompts)
        yield
        return Outputs(ranks, kept, self.tuning.warm_up, self.grows_to, self.tuning)

    def _look(
        self, outputs: Outputs, inputs: Inputs, sample: Sample, key: bytes, load: tuple[float, float]
    ) -> list[Told]:
        told: list[Told] = []
        if self.count % STEP == 0:
            self._take_in(outputs, inputs)
            self._doubt = self._input(inputs, told)
            self._output(outputs, told, doubt=self._doubt)
            for event in told:
                if event.event == "recovered":
                    self.swings += event.subject == "input"
                    (inputs if event.subject == "input" else outputs).forget()
        found = self._repeats.fresh(key, _counted(sample)) if sample.faults else set()
        self._shares(found, told, doubt=self._doubt)
        self._latency(sample, load, told)
        return told

    def _take_in(self, outputs: Outputs, inputs: Inputs) -> None:
        features, prompts, weights = zip(*self._waiting, strict=True)
        self._waiting.clear()
        weight = np.array(weights, np.float32)[:, None]
        asked = rounded(np.stack(prompts))
        outputs.take_in(rounded(np.stack(features)), asked, weight)
        inputs.take_in(asked, weight)

    def _input(self, inputs: Inputs, told: list[Told]) -> bool:
        """Whether the prompts may not be what they were."""
        doubted, evidence, length = inputs.evidence()
        extra = self.tuning.input_extra + self.tuning.input_again * min(self.swings, _MOST_SWINGS)
        if self._risen("input", evidence, self.level + extra, told):
            signals = inputs.moved(length)
            told.append(self._raised("input", evidence, length, signals, of_move(signals)))
        return doubted > self.tuning.input_doubt or "input" in self.standing

    def _output(self, outputs: Outputs, told: list[Told], *, doubt: bool) -> None:
        if outputs.same is not None:
            self._other(outputs, outputs.same, told)
            return
        (joint, length), (single, single_length) = outputs.evidence()
        joint, single = joint - self.tuning.joint_extra, single - self.tuning.single_extra
        evidence = max(joint, single)
        if self._over(outputs, evidence, length if joint >= single else single_length, told):
            return
        if doubt and "output" not in self.standing:
            self.evidence["output"] = evidence
            return
        if self._risen("output", evidence, self.level, told):
            length = length if joint >= single else single_length
            signals = outputs.moved(length)
            told.append(self._raised("output", evidence, length, signals, of_move(signals)))

    def _other(self, outputs: Outputs, same: Same, told: list[Told]) -> None:
        """Where all answers were the same: whether they still are."""
        if not same.seen:
            self._ebb("output", told)
        elif self._risen("output", same.share.evidence, self.level + self.tuning.share_extra, told):
            ago = self.count - same.share.since + 1
            severity = of_share(Moved(name="other", before=0.0, after=same.share.recent(self.count, ago)), ago)
            told.append(self._raised("output", same.share.evidence, ago, outputs.now_other(same), severity))

    def _shares(self, found: set[str], told: list[Told], *, doubt: bool) -> None:
        for subject in [subject for subject in self.standing if subject.startswith("share:")]:
            if subject.removeprefix("share:") not in found:
                self._ebb(subject, told)
        strongest: dict[str, Share] = {}
        for name in sorted(found):
            share, fault = self._share_of[name], _PART_OF.get(name, name)
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
                ago, whole = self.count - share.since + 1, self._share_of[fault]
                signal = Moved(name=fault, before=whole.had / whole.of, after=whole.recent(self.count, ago))
                told.append(self._raised(subject, share.evidence, ago, (signal,), of_share(signal, ago)))

    def _latency(self, sample: Sample, load: tuple[float, float], told: list[Told]) -> None:
        latency = self._slow
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

    def _over(self, outputs: Outputs, evidence: float, length: int, told: list[Told]) -> bool:
        """Whether an alarm of the answers has ended by the last ones; the longest sums hold the old ones for long."""
        if "output" not in self.standing or not outputs.over(evidence, length, self.tuning.quiet):
            return False
        del self.standing["output"]
        self.evidence["output"] = 0.0
        told.append(Told(event="recovered", kind="output", subject="output", ago=self.tuning.quiet))
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


def _latency_of(timed: list[Timed], tuning: Tuning) -> Latency | None:
    if len(timed) < _FEW_TIMED:
        return None
    seconds, tokens, prompts, load = (np.array(column, float) for column in zip(*timed, strict=True))
    return Latency(seconds, tokens, prompts, load, tuning.latency_tolerance)


def _kind(subject: str) -> Kind:
    return "share" if subject.startswith("share:") else subject  # type: ignore[return-value]


_PART_OF: Final = {"brief_refusal": "refusal"}  # counted by itself, told as the whole
_LOG_CHARS: Final = PLACE["log_chars"]
_BRIEF: Final = math.log1p(400)  # characters
_PLAIN_PROMPT: Final = PROMPT_NAMES.index("prompt_strange_bytes")  # before it, nothing that is learned
_PLAIN: Final = 20
_MOST_SWINGS: Final = 4  # that count: a lane whose prompts swing must not grow deaf to other changes
_FEW_TIMED: Final = 100
# Other prompts bring more or fewer of these by themselves.
_SOFT: Final = frozenset({"unended", "off_prompt"})  # some prompts bring them to any model: these wait, as output does
_DEPEND_ON_PROMPTS: Final = frozenset({"refusal", "language", "truncated", "json"})
