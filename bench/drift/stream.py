"""Streams of records: calm ones, and from one moment on the same traffic with a fault. Deterministic by seed."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from bench.drift.answers import Answer, record
from bench.drift.faults import ALL, WORLDS, Fault, Scene, World
from bench.drift.material import GREEDY, VENDOR, Material, Materials, Pair, in_split
from bench.drift.traffic import Kind, Moment, Traffic

WARM_UP: Final = 500
FIRST_TEXTS: Final = 150  # from which a route learns its words
AFTER: Final = 1000  # answers after a change that a detector has to find it
_CHANGE_AT: Final = (650, 1150)
Record = dict[str, Any]


@dataclass(frozen=True)
class Base:
    """One calm stream; each of its faults starts from the same point of it."""

    world: World
    model: str
    traffic: Kind
    seed: int
    apart: bool = False  # whether the answers that a route learns its words from are to other prompts than the rest


class Source:
    """The records of a base, one after the other."""

    def __init__(self, base: Base, materials: Materials) -> None:
        self.base = base
        self.material = _material(base, materials)
        self._rng = Random(f"{base}")
        self.change_at = self._rng.randrange(*_CHANGE_AT)
        first, self._prompts = self.material.prompts, self.material.prompts
        if base.apart:
            first = [prompt for prompt in self.material.prompts if in_split(f"apart {prompt.pid}", "tune")]
            self._prompts = [prompt for prompt in self.material.prompts if in_split(f"apart {prompt.pid}", "validate")]
        self._traffic = Traffic(base.traffic, first, Random(f"traffic {base}"))
        self._given = 0

    def record(self) -> Record:
        """The next calm one."""
        if self._given == FIRST_TEXTS:
            self._traffic.prompts = self._prompts
        self._given += 1
        return record(self._answer(self._traffic.moment()), self._rng)

    def faults(self, most_pairs: int) -> list[tuple[Fault, str | None]]:
        """What can befall this base: each fault with the model after it, if it takes one."""
        found: list[tuple[Fault, str | None]] = []
        for fault in ALL:
            if self.base.world not in fault.worlds:
                continue
            if fault.pair is None:
                found.append((fault, self.base.model))
                continue
            after = [
                pair.after for pair in self.material.pairs if pair.before == self.base.model and _fits(fault, pair)
            ]
            Random(f"{self.base} {fault.name}").shuffle(after)
            found += [(fault, model) for model in after[:most_pairs]]
        return found

    def spoiled(self, fault: Fault, after: str | None) -> Iterator[Record]:
        """What would come from here on under that fault. The calm stream stays where it is."""
        traffic, rng = copy.deepcopy(self._traffic), Random(f"{self.base} {fault.name} {after}")
        scene = Scene(self.material, rng, after)
        if fault.prompts is not None:
            traffic.prompts = fault.prompts(self._prompts, self.material)
        for since in range(AFTER):
            scene.since = since
            yield record(fault.change(self._answer(traffic.moment()), scene), rng)

    def _answer(self, moment: Moment) -> Answer:
        text = self.material.answers[self.base.model].get(moment.prompt.pid, "")
        if self.base.world == "json":
            return Answer(moment, json.dumps({"answer": text, "complete": True}), json_asked=True)
        return Answer(moment, text)


def bases(
    materials: Materials,
    traffics: tuple[Kind, ...],
    *,
    seeds: int,
    models: int | None,
    apart: bool = False,
    worlds: Collection[World] = WORLDS,
) -> list[Base]:
    """All calm streams to run: chat models that are the `before` of a pair, and the three special worlds."""
    found: list[Base] = []
    for seed in range(seeds):
        for number, traffic in enumerate(traffics):
            chosen = _models(materials.chat)
            if models is not None:
                offset = (seed * len(traffics) + number) * models
                chosen = [chosen[(offset + step) % len(chosen)] for step in range(min(models, len(chosen)))]
            found += [Base("chat", model, traffic, seed, apart) for model in chosen]
            found.append(Base("vendor", VENDOR[0], traffic, seed, apart))
            found.append(Base("greedy", GREEDY[0], traffic, seed, apart))
            found.append(Base("json", chosen[seed % len(chosen)], traffic, seed, apart))
    return [base for base in found if base.world in worlds]


def _models(material: Material) -> list[str]:
    names = sorted({pair.before for pair in material.pairs if pair.kind != "swap"})
    Random("models").shuffle(names)
    return names


def _fits(fault: Fault, pair: Pair) -> bool:
    kind, _, ending = (fault.pair or "").partition(":")
    return pair.kind == kind and pair.after.endswith(ending)


def _material(base: Base, materials: Materials) -> Material:
    return {"chat": materials.chat, "json": materials.chat, "vendor": materials.vendor, "greedy": materials.greedy}[
        base.world
    ]
