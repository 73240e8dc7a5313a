"""The meaning of a stream does not depend on how it was cut, and foreign bytes never raise."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy.core.exchange import Exchange
from proxy.core.outcomes import OUTCOMES
from proxy.observe.reading import read_call
from proxy.wire.answers import READERS, Reader
from proxy.wire.draft import Draft, Payloads
from proxy.wire.meaning import Meaning
from proxy.wire.ndjson import NdjsonReader
from proxy.wire.routes import match
from proxy.wire.sse import SseReader, read_plain
from tests.wire.cuts import cut_at, cuts
from tests.wire.recordings import Recording, exchange_of, load, names

STREAMS = [name for name in names() if b"\n" in load(name).answer_body.strip() and load(name).method == "POST"]
ONE_OF_EACH = [
    "ollama-0.33/chat-stream-usage",
    "ollama-0.24/chat-tools2-stream-usage",
    "ollama-0.33/completions-stream-usage",
    "ollama-0.33/responses-think-stream",
    "ollama-0.33/messages-tools-stream",
    "ollama-0.33/native-chat-stream",
    "ollama-0.33/native-generate-stream",
    "litellm-1.106/chat-tools2-stream-usage",
]


def payloads(recording: Recording, pieces: list[bytes]) -> list[tuple[bytes | None, int]]:
    """Events of a body that comes in these pieces, by the general readers."""
    if b"event-stream" in recording.answer_head:
        sse = SseReader()
        events = [event for piece in pieces for event in sse.feed(piece)] + list(sse.close())
        return [(event.data, event.end) for event in events]
    lines = NdjsonReader()
    return [line for piece in pieces for line in lines.feed(piece)] + list(lines.close())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_cut_at_any_byte_makes_no_difference(name: str) -> None:
    recording = load(name)
    body = recording.answer_body
    whole = payloads(recording, [body])
    assert all(payloads(recording, [body[:at], body[at:]]) == whole for at in range(len(body)))


@settings(max_examples=150)
@given(st.sampled_from(STREAMS), cuts())
def test_many_cuts_make_no_difference(name: str, places: list[int]) -> None:
    """The general readers over any pieces, and what read_call does with the whole body: the same draft."""
    recording = load(name)
    reader = READERS.get(match(recording.target).dialect)
    if reader is None or reader.events is None:
        return
    cut, whole = Draft(), Draft()
    reader.events(cut, payloads(recording, cut_at(recording.answer_body, places)))
    reader.events(whole, whole_payloads(reader, whole, recording))
    assert told(cut) == told(whole)


def whole_payloads(reader: Reader, draft: Draft, recording: Recording) -> Payloads:
    """What read_call makes of a whole body, with its quicker ways."""
    plain = read_plain(recording.answer_body)
    if plain is None:
        return payloads(recording, [recording.answer_body])
    read = reader.runs(draft, *plain) if reader.runs is not None else 0
    return list(zip(*plain, strict=True))[read:]


def told(draft: Draft) -> dict[str, Any]:
    values = {**vars(draft), "calls": [call.settle() for call in draft.calls]}
    return {name: value for name, value in values.items() if not name.startswith("_")}


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
@pytest.mark.parametrize("name", [name for name in STREAMS if "stream" in name])
def test_other_line_ends_mean_the_same(name: str, line_end: bytes) -> None:
    exchange = exchange_of(load(name))
    other = msgspec.structs.replace(exchange, answer_body=exchange.answer_body.replace(b"\n", line_end))
    assert without_offsets(read_call(other)[1]) == without_offsets(read_call(exchange)[1])


def without_offsets(meaning: Meaning) -> Meaning:
    offsets = tuple(range(len(meaning.token_offsets)))
    return replace(meaning, first_token=None, first_answer_token=None, token_offsets=offsets)


def assert_fit(exchange: Exchange) -> None:
    """A record and a meaning that can be kept anywhere."""
    record, meaning = read_call(exchange)
    assert record.outcome in OUTCOMES
    for value in (*msgspec.structs.astuple(record), *msgspec.structs.astuple(meaning.tokens)):
        assert not isinstance(value, int) or -(2**63) <= value < 2**63
        assert not isinstance(value, str) or value.encode() is not None
    assert record.error_message is None or len(record.error_message) <= 500
    assert msgspec.json.decode(msgspec.json.encode(meaning), type=Meaning) == meaning


@pytest.mark.parametrize("server", ["ollama-0.33", "ollama-0.24", "litellm-1.106"])
def test_mutated_bytes_never_raise(server: str) -> None:
    chance = random.Random(f"bytes {server}")
    for name in (name for name in names() if name.startswith(server)):
        exchange = exchange_of(load(name))
        for _ in range(60):
            changed = {field: mutated(chance, getattr(exchange, field)) for field in ("answer_body", "request_body")}
            assert_fit(msgspec.structs.replace(exchange, **changed))


def mutated(chance: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(changed))
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.randint(1, 60)]
            case 2:
                changed[at:at] = changed[: chance.randint(0, 300)]
            case _:
                changed[at:at] = chance.choice([b"\r", b"\n\n", b"\xff", b'"\\ud800"', b"NaN", b"[" * 2000, b"1" * 30])
    return bytes(changed)


FOREIGN = [
    None,
    True,
    -1,
    0,
    2**70,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud83d",
    "\0\x1b[31m",
    [],
    ["x"],
    {},
    {"a": 1},
]


@pytest.mark.parametrize("server", ["ollama-0.33", "ollama-0.24", "litellm-1.106"])
def test_foreign_values_never_raise(server: str) -> None:
    """Any value of the JSON may be any other: the record is still made."""
    chance = random.Random(f"values {server}")
    for name in (name for name in names() if name.startswith(server)):
        exchange = exchange_of(load(name))
        for _ in range(40):
            body = b"\n".join(swapped(chance, line) for line in exchange.answer_body.split(b"\n"))
            assert_fit(msgspec.structs.replace(exchange, answer_body=body))


def swapped(chance: random.Random, line: bytes) -> bytes:
    start = line.find(b"{")
    try:
        value = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        return line
    if value is None or chance.random() < 0.5:
        return line
    return line[:start] + json.dumps(swap_one(chance, value)).encode()


def swap_one(chance: random.Random, value: Any) -> Any:
    """The value with one of its parts, however deep, replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return {**value, name: swap_one(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], swap_one(chance, value[at]), *value[at + 1 :]]
    return chance.choice(FOREIGN)


def test_deep_nesting_is_no_json() -> None:
    recording = load("ollama-0.33/chat-plain")
    for deep in (b"[" * 100_000, b'{"a":' * 100_000, b'{"choices":' + b"[" * 900 + b"]" * 900 + b"}"):
        assert_fit(msgspec.structs.replace(exchange_of(recording), answer_body=deep, request_body=deep))
