"""The real answers that streams are made of, and the split that keeps validation away from tuning. Reads files only.

Split: prompts, and families of models, go to one side by a hash, another one for each fold. Three sources have one
family only (two templates of one model, sampled against greedy, the vendor's update): there only the prompts are split.
`models` has the models of `validate` on all prompts: streams repeat them half as often.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

Split = Literal["tune", "validate", "models", "all"]

Chosen = Callable[[str], bool]

VENDOR: Final = ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
GREEDY: Final = ("Qwen1.5-72B-Chat", "Qwen1.5-72B-Chat-greedy")
_FAMILIES: Final = (
    "llama-2", "guanaco", "vicuna", "FuseChat", "gemma", "Qwen1.5", "wizardlm", "airoboros", "gpt-3.5", "zephyr",
    "openchat",
)  # fmt: skip


class Prompt(NamedTuple):
    pid: str
    category: str
    text: str


class Pair(NamedTuple):
    """A change of model: `kind` is sibling, version, template, swap or near."""

    before: str
    after: str
    kind: str


@dataclass
class Material:
    """Answers of one world: `answers[model][pid]`."""

    name: str
    prompts: list[Prompt]
    answers: dict[str, dict[str, str]]
    pairs: list[Pair] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@dataclass
class Materials:
    """All worlds of one split, and each model's win rate (AlpacaEval 2, %) whatever its side."""

    chat: Material
    vendor: Material
    greedy: Material
    win_rates: dict[str, float]


def family(model: str) -> str:
    """The name that models of one make share; an unknown make is its own family."""
    return next((name for name in _FAMILIES if model.startswith(name)), model)


def in_split(key: str, split: Split, fold: int = 0) -> bool:
    """Whether what has that key belongs to that side."""
    if split == "all":
        return True
    odd = hashlib.sha256(f"{fold}:{key}".encode()).digest()[0] % 2 == 1
    return odd == (split != "tune")


def read_materials(directory: Path, split: Split, fold: int = 0) -> Materials:
    """Raises OSError, ValueError."""
    pairs = json.loads((directory / "pairs.json").read_text())

    def ours(key: str) -> bool:
        return in_split(key, "all" if split == "models" else split, fold)

    shared = {
        "refusals": [row["response"] for row in _rows(directory, "refusals") if ours(row["response"])],
        "foreign": [row["response"] for row in _rows(directory, "foreign") if ours(row["response"])],
    }
    return Materials(
        chat=_chat(directory, pairs, lambda model: in_split(family(model), split, fold), ours, shared),
        vendor=_vendor(directory, ours, shared),
        greedy=_greedy(directory, ours, shared),
        win_rates={row[end]: row[f"win_rate_{end}"] for row in pairs for end in ("from", "to")},
    )


def _chat(
    directory: Path, pairs: list[dict[str, Any]], model_is_ours: Chosen, ours: Chosen, shared: dict[str, list[str]]
) -> Material:
    prompts = [Prompt(row["pid"], row["category"], row["prompt"]) for row in _rows(directory, "prompts")]
    answers: dict[str, dict[str, str]] = {}
    for row in _rows(directory, "responses"):
        answers.setdefault(row["model"], {})[row["pid"]] = row["response"]
    whole = [prompt for prompt in prompts if all(prompt.pid in known for known in answers.values())]
    found = [Pair(row["from"], row["to"], row["class"]) for row in pairs]
    chosen = [pair for pair in found if pair.kind == "template" or model_is_ours(pair.before)]
    models = sorted(filter(model_is_ours, answers))
    return Material(
        "chat",
        [prompt for prompt in whole if ours(prompt.pid)],
        answers,
        [pair for pair in chosen if pair.kind != "swap"] + _swaps(models),
        **shared,
    )


def _swaps(models: list[str]) -> list[Pair]:
    """From each model to every one of another family: more than the few that the pairs name."""
    return [Pair(one, other, "swap") for one in models for other in models if family(one) != family(other)]


def _vendor(directory: Path, ours: Chosen, shared: dict[str, list[str]]) -> Material:
    prompts: dict[str, Prompt] = {}
    answers: dict[str, dict[str, str]] = {model: {} for model in VENDOR}
    for row in _rows(directory, "vendor"):
        pid = f"{row['task']}:{row['id']}"
        prompts[pid] = Prompt(pid, row["task"], row["prompt"])
        answers[row["model"]][pid] = row["response"]
    chosen = [prompt for pid, prompt in prompts.items() if ours(pid) and all(pid in a for a in answers.values())]
    return Material("vendor", chosen, answers, [Pair(*VENDOR, "vendor")], **shared)


def _greedy(directory: Path, ours: Chosen, shared: dict[str, list[str]]) -> Material:
    answers: dict[str, dict[str, str]] = {model: {} for model in GREEDY}
    for row in _rows(directory, "temperature"):
        answers[row["model"]][row["id"]] = row["response"]
    pids = sorted(set(answers[GREEDY[0]]) & set(answers[GREEDY[1]]))
    prompts = [Prompt(pid, "wild", "") for pid in pids if ours(pid)]  # the source has no prompts
    return Material("greedy", prompts, answers, [Pair(*GREEDY, "greedy")], **shared)


def _rows(directory: Path, name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(directory / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)
