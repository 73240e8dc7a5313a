"""The replay on streams of a made-up model: calm ones raise nothing, changed ones are found and put down rightly."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proxy.analyse.drift.replay import DriftEvent, Replay
from proxy.standin.personality import speak

TOPICS = ("rivers", "engines", "gardens", "letters", "markets", "bridges", "teachers", "windows")


def records(seed: int, personality: str = "plain", **changed: Any) -> Iterator[dict[str, Any]]:
    dice = random.Random(seed)
    while True:
        prompt = f"Tell me about {dice.choice(TOPICS)} and number {dice.randrange(10**6)}, please"
        text = speak(personality, prompt, None)
        tokens = len(text) // 4 + 1
        yield {
            "prompt": prompt,
            "response": text,
            "latency_ms": (200 + 20 * tokens) * dice.lognormvariate(0, 0.1),
            "prompt_tokens": len(prompt) // 4 + 10,
            "completion_tokens": tokens,
            "finish_reason": "stop",
            "model": "m",
            "in_flight": dice.randint(1, 4),
        } | changed


def feed(replay: Replay, stream: Iterator[dict[str, Any]], count: int) -> list[DriftEvent]:
    return [event for _ in range(count) for event in replay.feed(next(stream))]


@functools.cache
def _learned() -> Replay:
    replay = Replay()
    events = feed(replay, records(1), 500)
    assert [(event.event, event.index) for event in events] == [("baseline", 499)]
    return replay


def learned() -> Replay:
    """A replay with a baseline; a copy, as learning takes a second."""
    return copy.deepcopy(_learned())


def test_a_calm_stream_raises_nothing() -> None:
    replay = learned()

    assert feed(replay, records(2), 1000) == []


@pytest.mark.parametrize(
    ("personality", "kinds"),
    [
        ("terse", {"output", "share"}),
        ("listing", {"output", "share"}),
        ("foreign", {"output", "share"}),
        ("looping", {"output", "share"}),
        ("refusing", {"output", "share"}),
        ("leaking", {"share"}),
        ("garbled", {"share"}),
        ("silent", {"share", "output"}),
    ],
)
def test_another_personality_is_found(personality: str, kinds: set[str]) -> None:
    replay = learned()
    feed(replay, records(2), 100)

    raised = feed(replay, records(3, personality), 40)

    assert raised
    assert {event.kind for event in raised} & kinds
    assert raised[0].index <= 600 + 25
    assert 590 <= raised[0].since_index <= raised[0].index
    assert raised[0].signals


def test_slower_answers_are_latency_and_nothing_else() -> None:
    replay = learned()
    slow = ({**record, "latency_ms": record["latency_ms"] * 1.6} for record in records(4))

    raised = feed(replay, slow, 150)

    assert [event.kind for event in raised] == ["latency"]
    assert raised[0].signals[0].after == pytest.approx(1.6, rel=0.15)


def test_an_alarm_is_raised_once_and_ends_when_the_model_is_back() -> None:
    replay = learned()

    first = feed(replay, records(5, "leaking"), 60)
    after = feed(replay, records(6), 900)

    assert [event.event for event in first if event.signals[0].name == "leak"] == ["raised"]
    assert "recovered" in {event.event for event in after}
    assert "raised" not in {event.event for event in after}


def test_other_prompts_are_input_and_no_fault_of_the_answers() -> None:
    replay = learned()
    feed(replay, records(2), 100)
    other = ({**record, "prompt": "WRITE CODE: " + record["prompt"].upper() + "\n1\n2"} for record in records(8))

    raised = feed(replay, other, 120)

    assert [event.kind for event in raised] == ["input"]
    assert {signal.name[:7] for signal in raised[0].signals} == {"prompt_"}


def test_another_model_on_a_known_route_is_exact_with_delay_one() -> None:
    replay = learned()

    raised = replay.feed(next(records(7, model="n")))

    assert [(event.kind, event.index, event.since_index) for event in raised] == [("exact", 500, 500)]


def test_routes_learn_apart() -> None:
    replay = Replay()
    streams = [records(8, route="a"), records(9, "listing", route="b")]

    events = [event for _ in range(500) for stream in streams for event in replay.feed(next(stream))]

    assert [(event.event, event.route) for event in events] == [("baseline", "a"), ("baseline", "b")]


@pytest.mark.parametrize(
    "broken", [{"response": 5}, {"latency_ms": "fast"}, {"prompt_tokens": -1}, {"latency_ms": 1e400}]
)
def test_a_record_that_is_none_is_told(broken: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Replay().feed(broken)


def test_missing_fields_are_unknown() -> None:
    replay = Replay()
    bare: Callable[[int], dict[str, Any]] = lambda number: {"response": speak("plain", str(number), None)}  # noqa: E731

    events = [event for number in range(700) for event in replay.feed(bare(number))]

    assert [event.event for event in events] == ["baseline"]
