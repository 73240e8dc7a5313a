"""The classes of change: 36 to be found, some that are no fault of the answers, some too small to ask for.

A fault is a function (answer, scene) -> answer, applied to each answer after the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, get_args

from bench.drift import spoiling
from bench.drift.answers import Answer
from bench.drift.material import Material, Prompt

World = Literal["chat", "json", "vendor", "greedy"]
WORLDS: Final[tuple[World, ...]] = get_args(World)
Row = Literal["hard", "shares", "truncation", "lost", "swap", "template", "version", "sibling", "mixed", "greedy",
              "noise", "latency", "prompts", "near"]  # fmt: skip


@dataclass
class Scene:
    """Where a fault acts: `since` counts answers after the change; `after` is the other model, if there is one."""

    material: Material
    rng: Random
    after: str | None
    since: int = 0


Change = Callable[[Answer, Scene], Answer]
Spoil = Callable[[Answer, Material, Random], Answer]


@dataclass(frozen=True)
class Fault:
    """One class. `pair`: kind of model pair that it needs. `prompts`: what becomes of the prompts."""

    name: str
    row: Row
    change: Change
    worlds: tuple[World, ...] = ("chat",)
    pair: str | None = None
    prompts: Callable[[Sequence[Prompt], Material], list[Prompt]] | None = None


def _other_model(answer: Answer, scene: Scene) -> Answer:
    assert scene.after is not None
    return replace(answer, text=scene.material.answers[scene.after][answer.moment.prompt.pid])


def _partly(share: float, change: Change) -> Change:
    return lambda answer, scene: change(answer, scene) if scene.rng.random() < share else answer


def _spoiled(share: float, spoil: Spoil) -> Change:
    return _partly(share, lambda answer, scene: spoil(answer, scene.material, scene.rng))


def _cut_share(low: float, high: float, finish_reason: str) -> Change:
    def change(answer: Answer, scene: Scene) -> Answer:
        chars = int(len(answer.text) * scene.rng.uniform(low, high))
        return spoiling.cut_to(answer, chars, finish_reason)

    return change


def _cut_at(chars: int) -> Change:
    return lambda answer, scene: spoiling.cut_to(answer, chars, "length")


def _lost(told: float) -> Change:
    """The answer is to another prompt, as if this one had not been seen. told: what of it the tokens tell, 0 to 1."""

    def change(answer: Answer, scene: Scene) -> Answer:
        other = scene.rng.choice(scene.material.prompts)
        text = scene.material.answers[scene.after or ""][other.pid]
        return replace(answer, text=text, prompt_chars=int(len(answer.moment.prompt.text) * told))

    return change


def _slow(factor: float, over: int) -> Change:
    """Slower by that factor, reached after so many answers."""
    return lambda answer, scene: replace(
        answer, slowness=1.0 + (factor - 1.0) * (min(scene.since / over, 1.0) if over else 1.0)
    )


def _same(answer: Answer, scene: Scene) -> Answer:
    return answer


def _categories(prompts: Sequence[Prompt], material: Material) -> list[Prompt]:
    """The smaller categories only, and of the rest none."""
    names = sorted({prompt.category for prompt in prompts}, key=lambda name: sum(p.category == name for p in prompts))
    return [prompt for prompt in prompts if prompt.category in names[: max(len(names) // 3, 1)]]


def _long(prompts: Sequence[Prompt], material: Material) -> list[Prompt]:
    by_length = sorted(prompts, key=lambda prompt: len(prompt.text))
    return by_length[-len(by_length) // 4 :]


def _short(prompts: Sequence[Prompt], material: Material) -> list[Prompt]:
    by_length = sorted(prompts, key=lambda prompt: len(prompt.text))
    return by_length[: len(by_length) // 4]


def _language(prompts: Sequence[Prompt], material: Material) -> list[Prompt]:
    """Half of the prompts in another language; their answers are in it too (see `foreign_prompts`)."""
    foreign = [Prompt(f"foreign:{number}", "foreign", _question(text)) for number, text in enumerate(material.foreign)]
    return list(prompts) + foreign[: len(prompts)]


def _question(text: str) -> str:
    """Made of an answer's own first words, as the source has no prompts: it is about the same and in its language."""
    return " ".join(text.split()[:30])


def _foreign_prompts(answer: Answer, scene: Scene) -> Answer:
    pid = answer.moment.prompt.pid
    if not pid.startswith("foreign:"):
        return answer
    return replace(answer, text=scene.material.foreign[int(pid.partition(":")[2])])


_JSON: Final[tuple[World, ...]] = ("json",)

FAULTS: Final[tuple[Fault, ...]] = (
    Fault("other model", "swap", _other_model, pair="swap"),
    Fault("new version", "version", _other_model, pair="version"),
    Fault("vendor's update", "version", _other_model, ("vendor",), pair="vendor"),
    Fault("smaller sibling", "sibling", _other_model, pair="sibling"),
    Fault("template: concise", "template", _other_model, pair="template:concise"),
    Fault("template: verbose", "template", _other_model, pair="template:verbose"),
    Fault("sampled to greedy", "greedy", _other_model, ("greedy",), pair="greedy"),
    Fault("30 % to a sibling", "mixed", _partly(0.3, _other_model), pair="sibling"),
    Fault("cut at 25-60 %, told", "truncation", _cut_share(0.25, 0.6, "length")),
    Fault("cut at 60 tokens, told", "truncation", _cut_at(246)),
    Fault("cut at 40-80 %, untold", "truncation", _cut_share(0.4, 0.8, "stop")),
    Fault("context cut, seen in tokens", "lost", _lost(0.4)),
    Fault("context lost, unseen in tokens", "lost", _lost(1.0)),
    Fault("10 % of words wrong", "noise", _spoiled(1.0, spoiling.noise)),
    Fault("refusal 100 %", "hard", _spoiled(1.0, spoiling.refusal)),
    Fault("language 100 %", "hard", _spoiled(1.0, spoiling.foreign)),
    *(
        Fault(f"{name} {percent} %", "hard" if percent >= 10 else "shares",
              _spoiled(percent / 100, spoil), _JSON if spoil is spoiling.broken_json else ("chat",))
        for name, spoil, percents in (
            ("refusal", spoiling.refusal, (10, 5, 2)), ("empty", spoiling.empty, (10, 5, 2)),
            ("leak", spoiling.leak, (10, 5, 2)), ("loop", spoiling.loop, (10, 5)),
            ("language", spoiling.foreign, (10, 5)), ("mojibake", spoiling.mojibake, (10, 5)),
            ("broken JSON", spoiling.broken_json, (10, 5)),
        )
        for percent in percents
    ),
    Fault("latency x 1.5", "latency", _slow(1.5, 0)),
    Fault("latency creeping to x 2", "latency", _slow(2.0, 300)),
    Fault("latency x 3", "latency", _slow(3.0, 0)),
)  # fmt: skip

PROMPT_CHANGES: Final[tuple[Fault, ...]] = (
    Fault("other categories", "prompts", _same, ("chat", "vendor"), prompts=_categories),
    Fault("longer prompts", "prompts", _same, prompts=_long),
    Fault("shorter prompts", "prompts", _same, prompts=_short),
    Fault("half in another language", "prompts", _foreign_prompts, prompts=_language),
)
NEAR: Final = Fault("nearly the same weights", "near", _other_model, pair="near")
ALL: Final[tuple[Fault, ...]] = (*FAULTS, *PROMPT_CHANGES, NEAR)
