"""Runs of even events mean what the same events mean one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.draft import Draft
from proxy.wire.openai_chat import read_events, read_runs
from proxy.wire.sse import read_plain
from tests.wire.recordings import load, names


def stream(*deltas: dict[str, Any], ident: str = "x") -> bytes:
    """Events with these deltas, a finish, and the end mark."""
    body = b""
    for delta in (*deltas, None):
        choice = {"index": 0, "delta": delta or {}, "finish_reason": None if delta else "stop"}
        body += b"data: " + json.dumps({"id": ident, "model": "m", "choices": [choice]}).encode() + b"\n\n"
    return body + b"data: [DONE]\n\n"


def drafts(body: bytes) -> tuple[dict[str, Any], dict[str, Any], int]:
    """(with runs, one by one, how many events the runs took)."""
    plain = read_plain(body)
    assert plain is not None
    events = list(zip(*plain, strict=True))
    quick, slow = Draft(), Draft()
    taken = read_runs(quick, *plain)
    read_events(quick, events[taken:])
    read_events(slow, events)
    return told(quick), told(slow), taken


def told(draft: Draft) -> dict[str, Any]:
    values = {**vars(draft), "calls": [call.settle() for call in draft.calls]}
    for name in ("text", "reasoning", "refusal"):
        values[name] = "".join(values[name])
    return {name: value for name, value in values.items() if not name.startswith("_")}


def said(*texts: str) -> list[dict[str, Any]]:
    return [{"content": text} for text in texts]


TOKENS = said(*(f" word{number}" for number in range(20)))
THOUGHTS = [{"content": "", "reasoning": f" hm{number}"} for number in range(20)]


@pytest.mark.parametrize(
    ("body", "least"),
    [
        (stream(*TOKENS), 20),
        (stream({"role": "assistant"}, *TOKENS), 21),
        (stream(*THOUGHTS), 20),
        (stream(*THOUGHTS, *TOKENS), 40),
        (stream(*THOUGHTS, {"content": ""}, *TOKENS), 41),
        (stream(*said(*('"\\\n\t\u00e9\U0001f642' + str(number) for number in range(20)))), 20),
    ],
)
def test_most_of_a_stream_is_runs(body: bytes, least: int) -> None:
    quick, slow, taken = drafts(body)

    assert quick == slow
    assert taken >= least


@pytest.mark.parametrize(
    "body",
    [
        stream(*TOKENS[:3]),
        stream(*TOKENS, {"content": ""}, *TOKENS),
        stream(*TOKENS, {"content": "a", "reasoning": "b"}, *TOKENS),
        stream(*TOKENS, {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
        stream(*TOKENS).replace(b'" word7"', b'" word7" "x"'),
        stream(*TOKENS).replace(b'" word7"', b""),
        stream(*TOKENS).replace(b'" word7"', b'" word7" "x"').replace(b'" word9"', b""),
        stream(*TOKENS).replace(b'" word7"', b'" word7').replace(b'" word8"', b'word8"'),
        stream(*TOKENS).replace(b'" word7"', b"7"),
        stream(*TOKENS).replace(b'" word7"', b"null"),
        stream(*TOKENS).replace(b" word7", b"\xff"),
        stream(*TOKENS).replace(b'" word7"', b'"\\ud83d"').replace(b'" word8"', b'"\\ude42"'),
        stream(*TOKENS).replace(b'" word7"', b'"a"},"finish_reason":"stop","x":{"content":"b"'),
        stream(*TOKENS[:9]) + stream(*TOKENS[9:]),
        b"".join(stream(token, ident=str(number)) for number, token in enumerate(TOKENS)).replace(b"[DONE]", b"{}"),
        b"data: \n\n" * 20,
    ],
)
def test_uneven_events_mean_the_same(body: bytes) -> None:
    quick, slow, _ = drafts(body)

    assert quick == slow


FRAGMENTS = st.sampled_from(
    ['"a"', '"b c"', '""', '"\\n"', '"a" "b"', "", '"', "null", "7", '"},{"', '"\\ud83d"', '"é"', '"x","content":"y"']
)


@given(st.lists(FRAGMENTS, max_size=40), st.lists(FRAGMENTS, max_size=40))
def test_any_strings_mean_the_same(texts: list[str], thoughts: list[str]) -> None:
    lines = [f'{{"id":"x","choices":[{{"index":0,"delta":{{"reasoning":{text}}}}}]}}' for text in thoughts]
    lines += [f'{{"id":"x","choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}' for text in texts]
    body = "".join(f"data: {line}\n\n" for line in lines).encode()
    if not body:
        return

    quick, slow, _ = drafts(body)

    assert quick == slow


@pytest.mark.parametrize("name", [name for name in names() if "chat" in name and "stream" in name])
def test_recordings_mean_the_same(name: str) -> None:
    body = load(name).answer_body
    if read_plain(body) is None:
        return

    quick, slow, _ = drafts(body)

    assert quick == slow
