"""Recorded exchanges asked for again through a relay, and what a client must then receive."""

from __future__ import annotations

import json
from typing import Any

from proxy.standin.replay import Recording
from proxy.wire.headers import HOP_BY_HOP

from .peer import Answer, BrokenAnswerError, Peer

_ASKABLE = (b"/v1/chat/completions", b"/v1/completions", b"/chat/completions", b"/completions")

Head = tuple[bytes, list[tuple[bytes, bytes]]]


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Head and body of the last answer in the bytes: a 100 may come before it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    return split(body) if head.startswith(b"HTTP/1.1 100") else (head, body)


def dechunked(body: bytes) -> bytes:
    """The content of a chunked body, whole or cut off."""
    said = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        said += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return said


def body_of(recording: Recording) -> bytes:
    """The content of the recorded answer's body."""
    head, body = split(recording.response)
    return dechunked(body) if b"Transfer-Encoding: chunked" in head else body


def end_to_end(head: bytes) -> Head:
    """First line and fields of a head, without those of one connection."""
    first, *lines = head.split(b"\r\n")
    fields = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in lines)]
    return first, [field for field in fields if field[0].lower() not in HOP_BY_HOP]


def heads(recording: Recording, answer: Answer) -> tuple[Head, Head]:
    """(the recorded head, the client's), to be equal. Where the server gave no request id, ours comes last."""
    expected, got = end_to_end(split(recording.response)[0]), end_to_end(answer.raw_head[:-4])
    if not any(name.lower() == b"x-request-id" for name, _ in expected[1]):
        assert got[1][-1][0] == b"x-request-id", recording.name
        got[1].pop()
    return expected, got


def asked_without_usage(recording: Recording) -> bool:
    """Whether the relay asks for usage where this client did not."""
    head, _, body = recording.request.partition(b"\r\n\r\n")
    if head.split(b" ")[1] not in _ASKABLE or not head.startswith(b"POST"):
        return False
    try:
        asked: Any = json.loads(body)
    except ValueError:
        return False
    return isinstance(asked, dict) and asked.get("stream") is True and "stream_options" not in asked


def request(asked: Recording, *fields: str, answer_of: str, speed: float = 0) -> bytes:
    """The recorded request, to be answered by the stand-in with the recording `answer_of`; 0 = at once."""
    head, _, rest = asked.request.partition(b"\r\n")
    lines = (f"x-stand-in-replay: {answer_of}", f"x-stand-in-speed: {speed:g}", *fields)
    return head + b"".join(f"\r\n{line}".encode() for line in lines) + b"\r\n" + rest


async def received(peer: Peer, recording: Recording, *, within_s: float = 5.0) -> Answer | None:
    """What comes of a replay that was asked for, ended as it ended then. None: the client left before any byte."""
    if recording.end.startswith("complete") or (not recording.response and recording.end == "closed by server"):
        return await peer.answer(head_only=recording.request.startswith(b"HEAD "), within_s=within_s)
    if not recording.response:
        peer.leave()
        return None
    return await _cut_answer(peer, recording, within_s=within_s)


async def _cut_answer(peer: Peer, recording: Recording, *, within_s: float) -> Answer:
    """What comes of an answer that never ends: all that the server sent, then no clean end."""
    head = await peer.head(within_s=within_s)
    sent = body_of(recording)
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
