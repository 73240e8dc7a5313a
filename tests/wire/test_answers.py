"""The meaning of a stream does not depend on how it was cut, and foreign bytes never raise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

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
def test_a_whole_stream_cut_at_any_byte_is_the_same(name: str) -> None:
    recording = load(name)
    body = recording.answer_body
    whole = payloads(recording, [body])
    assert all(payloads(recording, [body[:at], body[at:]]) == whole for at in range(len(body)))


@pytest.mark.parametrize("name", STREAMS)
def test_each_event_of_each_stream_cut_at_any_byte_is_the_same(name: str) -> None:
    """With the event behind it. Behind each event the reader is as new, so that a cut reaches no farther."""
    recording = load(name)
    body = recording.answer_body
    whole = payloads(recording, [body])
    starts = [0, *(end for _, end in whole)]
    if starts[-1] < len(body):  # what ends without a last event
        starts.append(len(body))
    for place, start in enumerate(starts[:-1]):
        part = body[start : starts[min(place + 2, len(starts) - 1)]]
        expected = [(data, end - start) for data, end in whole[place : place + 2]]
        assert payloads(recording, [part]) == expected
        for at in range(starts[place + 1] - start):
            assert payloads(recording, [part[:at], part[at:]]) == expected


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=20)
@given(places=cuts())
def test_many_cuts_make_no_difference(name: str, places: list[int]) -> None:
    """The general readers over any pieces, and what read_call does with the whole body: the same draft."""
    recording = load(name)
    reader = READERS.get(match(recording.target).dialect)
    if reader is None or reader.events is None:
        assert payloads(recording, cut_at(recording.answer_body, places)) == payloads(
            recording, [recording.answer_body]
        )
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


def test_deep_nesting_is_no_json() -> None:
    recording = load("ollama-0.33/chat-plain")
    for deep in (b"[" * 100_000, b'{"a":' * 100_000, b'{"choices":' + b"[" * 900 + b"]" * 900 + b"}"):
        record, meaning = read_call(replace(exchange_of(recording), answer_body=deep, request_body=deep))
        assert (record.outcome, meaning.text) == ("incomplete", "")
