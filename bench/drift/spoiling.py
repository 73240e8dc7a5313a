"""What goes wrong in one answer: cut, refused, empty, looping, leaking, foreign, broken. Each spoils a text. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random
from typing import Final

from bench.drift.answers import CHARS_PER_TOKEN, Answer
from bench.drift.material import Material

_LEAKS: Final = (
    "<|im_end|>", "<|im_start|>assistant\n", "<|eot_id|>", "</s>", "[INST] ", " [/INST]", "<|endoftext|>",
    "<end_of_turn>", "<start_of_turn>model\n", "<|assistant|>", "<|end|>", "<<SYS>>",
    "<|start_header_id|>assistant<|end_header_id|>", "<unk>",
    '<tool_call>\n{"name": "search", "arguments": {"query": "weather"}}\n</tool_call>', "<|channel|>final<|message|>",
)  # fmt: skip
_LOOP_TOKENS: Final = 1024
_MOJIBAKE: Final = (("'", "â€™"), ('"', "â€œ"), (" - ", " â€“ "), ("e ", "Ã© "))


def cut_to(answer: Answer, chars: int, finish_reason: str) -> Answer:
    """The answer's beginning."""
    if len(answer.text) <= chars:
        return answer
    return replace(answer, text=answer.text[:chars].rstrip(), finish_reason=finish_reason)


def refusal(answer: Answer, material: Material, rng: Random) -> Answer:
    return replace(answer, text=rng.choice(material.refusals))


def empty(answer: Answer, material: Material, rng: Random) -> Answer:
    return replace(answer, text=rng.choice(("", "", "\n", "  ")))


def leak(answer: Answer, material: Material, rng: Random) -> Answer:
    """A special token at an end, or in between."""
    token, text = rng.choice(_LEAKS), answer.text
    place = rng.choice((0, len(text), len(text), rng.randrange(len(text) + 1)))
    return replace(answer, text=text[:place] + token + text[place:])


def loop(answer: Answer, material: Material, rng: Random) -> Answer:
    """From somewhere on one sentence, or a few words, for ever."""
    kept = answer.text[: max(int(len(answer.text) * rng.uniform(0.2, 0.9)), 20)]
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", kept) if part.strip()] or ["and so on"]
    phrase = sentences[-1] if rng.random() < 0.6 else " ".join(sentences[-1].split()[-rng.randint(2, 6) :])
    room = max(int(_LOOP_TOKENS * CHARS_PER_TOKEN) - len(kept), 400)
    times = max(min(room // (len(phrase) + 1), 400), 8)
    return replace(answer, text=kept + f" {phrase}" * times, finish_reason=rng.choice(("length", "stop")))


def foreign(answer: Answer, material: Material, rng: Random) -> Answer:
    return replace(answer, text=rng.choice(material.foreign))


def mojibake(answer: Answer, material: Material, rng: Random) -> Answer:
    """UTF-8 read as Latin-1, or bytes that could not be read at all."""
    text = answer.text
    if rng.random() < 0.25:
        places = [rng.randrange(len(text) + 1) for _ in range(4)]
        for place in places:
            text = text[:place] + "\ufffd" + text[place:]
        return replace(answer, text=text)
    for right, wrong in _MOJIBAKE[: rng.randint(2, 4)]:
        text = text.replace(right, wrong)
    return replace(answer, text=text if text != answer.text else text + " â€™s")


def broken_json(answer: Answer, material: Material, rng: Random) -> Answer:
    """Cut, fenced with talk, single quotes, or no JSON at all."""
    text = answer.text
    broken = (
        text[: max(int(len(text) * rng.uniform(0.3, 0.9)), 1)],
        f"Here is the JSON you asked for:\n```json\n{text}\n```\nLet me know if I can help further!",
        text.replace('"', "'"),
        text.replace('{"', "{", 1),
        str(json.loads(text).get("answer", text)) if text.startswith("{") else text[1:],
    )
    return replace(answer, text=rng.choice(broken))


def noise(answer: Answer, material: Material, rng: Random, *, share: float = 0.1) -> Answer:
    """Words exchanged for words of other answers."""
    words = re.split(r"(\s+)", answer.text)
    model = rng.choice(sorted(material.answers))
    strange = rng.choice(list(material.answers[model].values())).split() or ["the"]
    for place in range(0, len(words), 2):
        if rng.random() < share:
            words[place] = rng.choice(strange)
    return replace(answer, text="".join(words))
