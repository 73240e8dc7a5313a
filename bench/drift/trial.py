"""One base run through: calm answers counted for false alarms, each fault from the same point. One unit of work."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.drift.contenders import CONTENDERS, Contender
from bench.drift.faults import Fault
from bench.drift.material import Materials
from bench.drift.stream import WARM_UP, Base, Record, Source
from bench.drift.traffic import Kind


@dataclass(frozen=True)
class Found:
    """What one contender made of one fault. Delays in answers after the change, the first being 1; None = never."""

    contender: str
    fault: str
    row: str
    traffic: Kind
    before: str
    after: str | None
    delay: int | None
    input_delay: int | None
    kind: str | None
    signals: tuple[str, ...]


@dataclass
class Calm:
    """False alarms of one contender on one calm stream; `alarms` but those named input, `inputs` those."""

    contender: str
    traffic: Kind
    world: str
    model: str
    answers: int = 0
    alarms: int = 0
    inputs: int = 0
    signals: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """How much of a base is run. faults: only those whose name or row is named; empty = all."""

    contenders: tuple[str, ...]
    calm_answers: int
    most_pairs: int
    faults: frozenset[str] = frozenset()


class _Shared:
    """Records that several contenders read, made when the first asks."""

    def __init__(self, records: Iterator[Record]) -> None:
        self._records = records
        self._made: list[Record] = []

    def __iter__(self) -> Iterator[Record]:
        place = 0
        while True:
            while place < len(self._made):
                yield self._made[place]
                place += 1
            following = next(self._records, None)
            if following is None:
                return
            self._made.append(following)


def run(base: Base, materials: Materials, plan: Plan) -> tuple[list[Calm], list[Found]]:
    """All figures of one base."""
    source = Source(base, materials)
    contenders = {name: CONTENDERS[name]() for name in plan.contenders}
    calm = [Calm(name, base.traffic, base.world, base.model) for name in contenders]
    _feed_calm(source, contenders, calm, 0, source.change_at)
    found: list[Found] = []
    for fault, after in source.faults(plan.most_pairs):
        if plan.faults and not plan.faults & {fault.name, fault.row}:
            continue
        records = _Shared(source.spoiled(fault, after))
        for name, contender in contenders.items():
            found.append(_meet(base, fault, after, name, copy.deepcopy(contender), records))
    _feed_calm(source, contenders, calm, source.change_at, plan.calm_answers)
    return calm, found


def _feed_calm(source: Source, contenders: dict[str, Contender], calm: Sequence[Calm], start: int, end: int) -> None:
    for index in range(start, end):
        record = source.record()
        for contender, figures in zip(contenders.values(), calm, strict=True):
            alarms = contender.feed(record)
            if index < WARM_UP:
                continue
            figures.answers += 1
            for alarm in alarms:
                figures.inputs += alarm.kind == "input"
                figures.alarms += alarm.kind != "input"
                figures.signals.append(f"{alarm.kind}@{index}: {', '.join(alarm.signals[:4])}")


def _meet(base: Base, fault: Fault, after: str | None, name: str, contender: Contender, records: _Shared) -> Found:
    """Feed until found; where only the prompts change, to the end, as both kinds of alarm count."""
    delay = input_delay = kind = None
    signals: tuple[str, ...] = ()
    for step, record in enumerate(records, start=1):
        for alarm in contender.feed(record):
            if alarm.kind == "input":
                input_delay = input_delay or step
            elif delay is None:
                delay, kind, signals = step, alarm.kind, alarm.signals
        if delay is not None and fault.row != "prompts":
            break
    return Found(
        contender=name, fault=fault.name, row=fault.row, traffic=base.traffic, before=base.model, after=after,
        delay=delay, input_delay=input_delay, kind=kind, signals=signals[:5],
    )  # fmt: skip
