"""Each recorded exchange passes through the relay: the client gets the bytes that the server sent."""

from __future__ import annotations

import json
import re

import pytest

from proxy.standin import replay
from proxy.standin.replay import Recording
from proxy.wire.headers import HOP_BY_HOP

from .conftest import WIRE
from .peer import Answer, BrokenAnswerError, Peer, connected
from .rig import Rig

ALL = replay.names(WIRE)
PATHS = (b"/v1/chat/completions", b"/v1/completions", b"/chat/completions", b"/completions")


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Head and body of the last answer in the bytes: a 100 may come before it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    return split(body) if head.startswith(b"HTTP/1.1 100") else (head, body)


def dechunked(body: bytes) -> bytes:
    said = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        said += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return said


def end_to_end(head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    first, *lines = head.split(b"\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return first, [field for field in fields if field[0].lower() not in HOP_BY_HOP]


def asked_without_usage(recording: Recording) -> bool:
    head, _, body = recording.request.partition(b"\r\n\r\n")
    if head.split(b" ")[1] not in PATHS or not head.startswith(b"POST"):
        return False
    try:
        asked = json.loads(body)
    except ValueError:
        return False
    return isinstance(asked, dict) and asked.get("stream") is True and "stream_options" not in asked


def through_replay(name: str, answer_of: str) -> bytes:
    """The recorded request; the stand-in answers with the recording `answer_of`."""
    head, _, rest = (WIRE / f"{name}.request").read_bytes().partition(b"\r\n")
    return head + f"\r\nx-stand-in-replay: {answer_of}\r\nx-stand-in-speed: 0\r\n".encode() + rest


def test_all_329_are_there() -> None:
    assert len(ALL) == 329


@pytest.mark.parametrize("folder", ["ollama-0.33", "ollama-0.24", "litellm-1.106"])
async def test_every_recording_passes_unchanged(relay: Rig, folder: str) -> None:
    names = [name for name in ALL if name.startswith(folder)]
    for number, name in enumerate(names, 1):
        recording = replay.load(WIRE, name)
        head, body = split(recording.response)
        async with connected(relay.port) as peer:
            if name.endswith("/host-refused"):
                answer = await peer.ask(through_replay(name, name))
                assert (name, answer.status, answer.error["code"]) == (name, 403, "host_refused")
                await relay.last(number)
                continue
            peer.send(through_replay(name, name))
            if recording.end.startswith("complete"):
                answer = await peer.answer(head_only=recording.request.startswith(b"HEAD "))
            elif not recording.response:
                if recording.end == "closed by server":
                    answer = await peer.answer()
                    assert (name, answer.status, answer.error["code"]) == (name, 502, "upstream_closed")
                else:
                    peer.leave()
                await relay.last(number)
                continue
            else:
                answer = await cut_answer(peer, recording)
        raw = dechunked(body) if b"Transfer-Encoding: chunked" in head else body
        first, fields = end_to_end(head)
        expected_fields = fields if b"x-request-id" in head.lower() else [*fields, (b"x-request-id", b"*")]
        got_first, got_fields = end_to_end(answer.raw_head[:-4])
        if b"x-request-id" not in head.lower():
            assert got_fields[-1][0] == b"x-request-id", name
            got_fields[-1] = (b"x-request-id", b"*")
        assert (name, first) == (name, got_first)
        assert (name, expected_fields) == (name, got_fields)
        assert (name, raw) == (name, answer.body)
        exchange = await relay.last(number)
        assert (name, raw) == (name, exchange.answer_body)
        assert exchange.finished.injected == asked_without_usage(recording), name
        ending = {"complete": "complete", "closed by server": "upstream_failed", "client left": "client_left"}
        assert ending[recording.end.partition(",")[0]] == exchange.finished.ending, name


async def cut_answer(peer: Peer, recording: Recording) -> Answer:
    """What comes of an answer that never ends: all that the server sent, then no clean end."""
    head = await peer.head()
    sent = dechunked(split(recording.response)[1])
    got = b""
    try:
        async for piece in peer.chunks():
            got += piece
            if recording.end == "client left" and len(got) >= len(sent):
                peer.leave()
                break
        else:
            raise AssertionError("a clean end")
    except BrokenAnswerError:
        assert recording.end == "closed by server"
    return head._replace(body=got)


PAIRS = [(name, f"{name}-usage") for name in ALL if f"{name}-usage" in ALL and name.endswith("stream")]


@pytest.mark.parametrize(("without", "asked"), PAIRS)
async def test_a_stream_asked_for_usage_equals_the_one_recorded_without(relay: Rig, without: str, asked: str) -> None:
    async with connected(relay.port) as peer:
        answer = await peer.ask(through_replay(without, asked))

    def plain(raw: bytes) -> bytes:
        raw = re.sub(rb'"id":"[^"]*"', b'"id":"-"', raw)
        return re.sub(rb'"created":\d+', b'"created":0', raw)

    assert plain(dechunked(split((WIRE / f"{without}.response").read_bytes())[1])) == plain(answer.body)
    exchange = await relay.last()
    assert exchange.finished.injected
    assert dechunked(split((WIRE / f"{asked}.response").read_bytes())[1]) == exchange.answer_body
    assert exchange.finished.response_bytes == len(answer.body) != len(exchange.answer_body)
