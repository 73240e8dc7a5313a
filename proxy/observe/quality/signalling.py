"""Signalling: a call of the observer -> its signals and its score, as the ledger keeps them. Texts go no further.

What a lane (route, model, digest) learned from its own first answers lives here, bounded to the lanes used last.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np

from proxy.core.call import CallRecord
from proxy.core.signal_row import SignalRow
from proxy.observe.quality.answer import Answer
from proxy.observe.quality.answered import Answered
from proxy.observe.quality.faults import bits_of
from proxy.observe.quality.judging import TASK as JUDGE_TASK
from proxy.observe.quality.reference import Reference, References
from proxy.observe.quality.score import score
from proxy.observe.quality.scorers import Guarded
from proxy.observe.quality.signals import signals_of
from proxy.wire.meaning import Meaning
from proxy.wire.transcript import read_transcript

LANES: Final = 500  # whose references are kept: 96 KiB each at most
_KEPT_EVERY: Final = 25  # texts that a reference learned from: so many at most are lost when all is killed
_ENDS: Final = 64  # calls that are looked back for those at the same time
_DIALECTS: Final = frozenset(
    {
        "openai_chat", "openai_completions", "ollama_chat", "ollama_generate", "anthropic_messages", "openai_responses"
    }
)  # fmt: skip


class Kept(Protocol):
    """The ledger, as far as references are concerned."""

    def references(self) -> Sequence[tuple[int, bytes, bytes]]: ...


class _Lane:
    def __init__(self) -> None:
        self.references = References()
        self.ends: list[float] = []  # Unix times at which calls ended, the latest of them, ascending


class Signalling:
    """Makes signal rows. For the observer's thread."""

    def __init__(self, scorers: Sequence[Guarded] = ()) -> None:
        self._scorers = scorers
        self._lanes: OrderedDict[int, _Lane] = OrderedDict()
        self._learned: dict[int, None] = {}  # lanes of which there is more to keep
        self.parts: dict[str, float] = {}  # sums of the parts of all scores
        self.known: dict[str, int] = {}  # answers that each part is known of

    def recall(self, ledger: Kept) -> None:
        """What lanes had learned before a restart. Raises LedgerError."""
        self._lanes.clear()
        self._learned = {}
        for lane, answers, prompts in ledger.references():
            try:
                known = _Lane()
                known.references.answers = Reference.load(answers)
                known.references.prompts = Reference.load(prompts, grams=False)
            except ValueError:
                continue  # of an older version: learned anew
            self._lanes[lane] = known

    def learned(self) -> list[tuple[int, bytes, bytes]]:
        """References that have learned more since this was asked last, to be kept."""
        found = [
            (lane, self._lanes[lane].references.answers.dump(), self._lanes[lane].references.prompts.dump())
            for lane in self._learned
            if lane in self._lanes
        ]
        self._learned = {}
        return found

    def row(self, record: CallRecord, meaning: Meaning, request: dict[str, Any] | None) -> SignalRow | None:
        """The row of a call; None for calls that have no answer of a model to look at."""
        if record.model is None or not _is_answer(record, meaning):
            return None
        number = lane_of(record.route, record.model, record.model_digest)
        lane = self._lane(number)
        asked = request if request is not None else {}
        prompt = prompt_of(asked, record)
        answer = _answer(record, meaning, asked, prompt)
        texts = lane.references.answers.texts
        signals = lane.references.filled(signals_of(answer))
        if texts < lane.references.answers.texts and lane.references.answers.texts % _KEPT_EVERY == 0:
            self._learned[number] = None
        scored = score(
            Answered(answer=answer, signals=signals, latency_s=record.duration_s, record=record), self._scorers
        )
        for name, part in scored.parts.items() if scored is not None else ():
            self.parts[name] = self.parts.get(name, 0.0) + part
            self.known[name] = self.known.get(name, 0) + 1
        return SignalRow(
            lane=number,
            numbers=np.concatenate([signals.features, signals.prompt]).astype("<f4").tobytes(),
            faults=bits_of(signals.faults),
            quality=scored.quality if scored is not None else None,
            in_flight=_beside(lane, record),
            identity=f"{record.model_answered or ''} {meaning.system_fingerprint or ''}".strip()[:200] or None,
        )

    def passed(self, record: CallRecord, meaning: Meaning) -> bool:
        """The call is not to be scored; it still ran beside others. Gives whether it would have been."""
        if record.model is None or not _is_answer(record, meaning):
            return False
        _beside(self._lane(lane_of(record.route, record.model, record.model_digest)), record)
        return True

    def _lane(self, number: int) -> _Lane:
        lane = self._lanes.get(number)
        if lane is None:
            lane = self._lanes[number] = _Lane()
            if len(self._lanes) > LANES:
                self._lanes.popitem(last=False)
        self._lanes.move_to_end(number)
        return lane


def _is_answer(record: CallRecord, meaning: Meaning) -> bool:
    """Whether there is an answer of a model to look at."""
    return (
        record.outcome == "ok"
        and record.dialect in _DIALECTS
        and meaning.unread is None
        and record.claimed_task != JUDGE_TASK  # grades are no answers: they would spoil its model's baseline
    )


@lru_cache(maxsize=LANES)
def lane_of(route: str, model: str, digest: str | None) -> int:
    """A number for the three, the same for ever; in 63 bits."""
    text = "\0".join((route, model, digest or "")).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


def prompt_of(request: dict[str, Any], record: CallRecord) -> str:
    """The last words of the user."""
    prompt = request.get("prompt")
    if isinstance(prompt, str):
        return prompt
    lines = read_transcript(request, record.dialect).lines  # type: ignore[arg-type]
    return next((line.text for line in reversed(lines) if line.kind == "user"), "")


def _answer(record: CallRecord, meaning: Meaning, request: dict[str, Any], prompt: str) -> Answer:
    told = record.tokens_source in ("reported", "counted")
    return Answer(
        response=meaning.text or meaning.refusal,
        prompt=prompt,
        finish_reason=record.finish_reason,
        response_format=request.get("response_format") or request.get("format"),
        # Templates, earlier turns and tools count, too: only of plain prompts the ratio says something.
        prompt_tokens=record.prompt_tokens if told else None,
        completion_tokens=record.completion_tokens if told and not meaning.reasoning else None,
        reasoning_tokens=record.reasoning_tokens,
        tool_calls=len(meaning.tool_calls),
        tool_calls_invalid=record.tool_calls_invalid or 0,
        logprob=meaning.logprobs.mean if meaning.logprobs else None,
    )


def _beside(lane: _Lane, record: CallRecord) -> int | None:
    if record.duration_s is None:
        return None
    started_s = record.started_unix_ns / 1e9
    beside = len(lane.ends) - bisect_right(lane.ends, started_s)
    insort(lane.ends, started_s + record.duration_s)
    if len(lane.ends) > _ENDS:
        del lane.ends[0]
    return beside
