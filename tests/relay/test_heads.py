"""Heads without sockets: what is kept, what is dropped, where our own lines go."""

from __future__ import annotations

import pytest

from proxy.relay.heads import AnswerHead, RequestHead

HOST = b"Host: up:1\r\n"


def to_upstream(head: RequestHead, *, key: bytes = b"", framing: bytes = b"") -> bytes:
    return head.to_upstream(b"POST", b"/x", host_line=HOST, key_line=key, framing=framing)


def answer(*fields: tuple[bytes, bytes], status: int = 200, **kind: bool) -> AnswerHead:
    wanted = {"http_1_0": False, "no_body": False, "http_1_0_in": False, **kind}
    return AnswerHead(status, b"OK", fields, **wanted)


def test_our_lines_take_the_places_of_theirs() -> None:
    head = RequestHead(((b"A", b"1"), (b"content-length", b"3"), (b"HOST", b"x"), (b"B", b"2")))

    expected = b"POST /x HTTP/1.1\r\nA: 1\r\nContent-Length: 9\r\nHost: up:1\r\nB: 2\r\n\r\n"
    assert expected == to_upstream(head, framing=b"Content-Length: 9\r\n")
    assert expected == to_upstream(head, framing=b"Content-Length: 9\r\n")  # a second attempt gets the same


def test_a_request_without_host_gets_one_first() -> None:
    assert to_upstream(RequestHead(((b"A", b"1"),))) == b"POST /x HTTP/1.1\r\nHost: up:1\r\nA: 1\r\n\r\n"


def test_the_key_replaces_every_credential() -> None:
    names = (b"Authorization", b"x-api-key", b"API-Key", b"x-litellm-api-key", b"X-Goog-Api-Key", b"authorization")
    head = RequestHead(tuple((name, b"secret") for name in names))

    sent = to_upstream(head, key=b"Authorization: Bearer k\r\n")
    assert sent == b"POST /x HTTP/1.1\r\nHost: up:1\r\nAuthorization: Bearer k\r\n\r\n"
    assert b"secret" not in head.kept()
    assert head.kept().count(b"[struck out]") == len(names)


def test_fields_that_connection_names_are_gone_from_what_is_kept_too() -> None:
    fields = ((b"Connection", b"X-A , close"), (b"x-a", b"1"), (b"Connection", b"x-b"), (b"X-B", b"2"), (b"C", b"3"))

    assert RequestHead(fields).kept() == b"C: 3\r\n"


@pytest.mark.parametrize(
    ("values", "coding"),
    [((), None), ((b"Chunked ",), b"chunked"), ((b"gzip", b"chunked"), b"gzip, chunked"), ((b"",), b"")],
)
def test_transfer_codings_are_noted(values: tuple[bytes, ...], coding: bytes | None) -> None:
    assert coding == RequestHead(tuple((b"Transfer-Encoding", value) for value in values)).coding


@pytest.mark.parametrize(
    ("encoding", "encoded"),
    [(b"gzip", True), (b"identity", False), (b" Identity", False), (b"", False), (b"zstd", True)],
)
def test_encoded_bodies_are_known(encoding: bytes, encoded: bool) -> None:
    assert encoded == RequestHead(((b"content-encoding", encoding),)).content_encoded


@pytest.mark.parametrize(
    ("fields", "kind", "framing"),
    [
        (((b"Content-Length", b"5"),), {}, "length"),
        (((b"Transfer-Encoding", b"chunked"),), {}, "chunked"),
        ((), {}, "chunked"),
        ((), {"http_1_0": True}, "close"),
        (((b"Transfer-Encoding", b"chunked"),), {"http_1_0": True}, "close"),
        (((b"Content-Length", b"5"),), {"no_body": True}, "none"),
    ],
)
def test_how_the_end_is_told(fields: tuple[tuple[bytes, bytes], ...], kind: dict[str, bool], framing: str) -> None:
    head = answer(*fields, **kind)

    assert framing == head.framing
    assert head.until_close == (not fields)


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body(status: int) -> None:
    assert answer(status=status).framing == "none"


@pytest.mark.parametrize("value", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"", b"identity"])
def test_codings_that_nobody_asked_for_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="coding"):
        answer((b"Transfer-Encoding", value))


def test_an_event_stream_is_readable_unless_sealed() -> None:
    events = (b"Content-Type", b"Text/Event-Stream; charset=utf-8")

    assert answer(events).readable_events
    assert not answer(events, (b"Content-Encoding", b"br")).readable_events
    assert answer(events, (b"Content-Encoding", b"br")).sealed_events
    assert not answer((b"Content-Type", b"application/json")).sealed_events


def test_the_length_may_change_in_its_place() -> None:
    head = answer((b"A", b"1"), (b"content-length", b"9"), (b"B", b"2"))
    head.frame("length", length=7)

    expected = b"HTTP/1.1 200 OK\r\nA: 1\r\nContent-Length: 7\r\nB: 2\r\nx-request-id: id\r\nConnection: close\r\n\r\n"
    assert expected == head.to_client(b"id", keep_alive=False, http_1_0=False)
