"""What the upstream gets of a request: all of it as it was sent, but for what is a hop's own."""

from __future__ import annotations

import gzip

import pytest

from proxy.journal.counters import Counter

from .conftest import MakeRelay
from .peer import CHAT, ask, chat, connected, post, request
from .rig import upstream
from .scripted import OK, Scripted, Seen, answers


async def sent(make_relay: MakeRelay, raw: bytes, **changes: object) -> Seen:
    """What reaches the upstream of these bytes."""
    async with Scripted(answers(OK)) as server:
        rig = await make_relay((upstream(server.port, **changes),), inject_usage=False)
        answer = await ask(rig.port, raw)
        assert answer.status == 200, answer
        assert answer.body == (b"" if raw.startswith(b"HEAD") else b"{}")
        await rig.ended(1)
    assert len(server.seen) == 1
    return server.seen[0]


TARGETS = [
    b"/v1/models/a%2Fb", b"/v1/models/chat%3Alatest", b"/a+b?c=d+e", b"//v1//models", b"/v1/x?a=&b&=c&&", b"/?",
    b"/%7Euser/%zz", b"/a/../b/./c", b"/x?y=[1]|^`{}\"<>\\", b"/v1/x;p=1?q=%00", b"/%2D/health",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
async def test_the_target_is_sent_byte_for_byte(make_relay: MakeRelay, target: bytes) -> None:
    seen = await sent(make_relay, request("GET", target))

    assert seen.line == b"GET " + target + b" HTTP/1.1"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
async def test_every_method_passes(make_relay: MakeRelay, method: str) -> None:
    seen = await sent(make_relay, request(method, "/v1/models"))

    assert (seen.line, seen.body) == (method.encode() + b" /v1/models HTTP/1.1", b"")
    assert [name for name, _ in seen.fields] == [b"Host"]


async def test_fields_keep_order_case_duplicates_and_values(make_relay: MakeRelay) -> None:
    fields = [
        b"X-One: 1", b"x-two: a, b", b"X-ONE: 2", b"Accept: */*", b"X-Empty:", b"x-bytes: caf\xc3\xa9 \xff",
        b"X-Inside: a  b\tc", b"User-Agent: t/1", b"ACCEPT-ENCODING: gzip", b"X-one: 3", b"Cookie: a=b",
    ]  # fmt: skip
    seen = await sent(make_relay, request("GET", "/", *fields))

    assert [line.replace(b"X-Empty:", b"X-Empty: ") for line in fields] == [
        b": ".join(field) for field in seen.fields if field[0] != b"Host"
    ]


async def test_host_is_the_upstreams_and_stays_in_its_place(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        await ask(rig.port, b"GET / HTTP/1.1\r\nX-A: 1\r\nHOST: localhost:1234\r\nX-B: 2\r\n\r\n")

        expected = b"GET / HTTP/1.1\r\nX-A: 1\r\nHost: 127.0.0.1:%d\r\nX-B: 2\r\n\r\n" % server.port
        assert expected == server.seen[0].raw_head


async def test_hop_by_hop_fields_and_those_connection_names_stay_here(make_relay: MakeRelay) -> None:
    fields = ("Connection: X-Secret-Hop, close", "x-secret-hop: 1", "Keep-Alive: timeout=5", "TE: trailers",
              "Trailer: X-T", "Proxy-Authorization: Basic abc", "Proxy-Connection: close", "X-Kept: 1")  # fmt: skip
    seen = await sent(make_relay, request("GET", "/", *fields))

    assert [name for name, _ in seen.fields] == [b"Host", b"X-Kept"]


async def test_connection_cannot_take_length_or_host_away(make_relay: MakeRelay) -> None:
    seen = await sent(make_relay, post("/x", b"12345", "Connection: content-length, host, close"))

    assert seen.body == b"12345"
    assert len(seen.values(b"host")) == 1


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key", "api-key", "x-goog-api-key", "X-LiteLLM-API-Key"])
async def test_the_clients_key_never_travels_on_where_the_upstream_has_one(make_relay: MakeRelay, name: str) -> None:
    seen = await sent(make_relay, chat(f"{name}: Bearer client-secret", "X-Z: 1"), key="upstream-secret")

    assert b"client-secret" not in seen.raw_head
    assert seen.values(b"authorization") == [b"Bearer upstream-secret"]


@pytest.mark.parametrize("name", ["Authorization", "x-api-key"])
async def test_the_clients_key_passes_where_the_upstream_has_none(make_relay: MakeRelay, name: str) -> None:
    seen = await sent(make_relay, chat(f"{name}: client-secret"))

    assert seen.values(name.encode()) == [b"client-secret"]


BODIES = {
    "binary": (bytes(range(256)) * 20, "/v1/audio/transcriptions"),
    "gzip": (gzip.compress(b'{"model":"chat"}' * 50), "/v1/chat/completions"),
    "no json": (b"\x00\xff{not json", "/v1/chat/completions"),
    "spaces": (b' {\n "model" : "chat" , "stream" : true }\n', "/v1/chat/completions"),
    "surrogate": (b'{"model":"a\\ud800","messages":[]}', "/v1/chat/completions"),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_body_bytes_arrive_untouched(make_relay: MakeRelay, kind: str, framing: str) -> None:
    body, path = BODIES[kind]
    fields = ["Content-Encoding: gzip"] if kind == "gzip" else ["Content-Type: application/json"]
    if framing == "length":
        raw = post(path, body, *fields)
    else:
        raw = request("POST", path, *fields, "Transfer-Encoding: chunked") + chunks(body, 700)
    seen = await sent(make_relay, raw)

    assert body == seen.body
    assert [fields[0].partition(": ")[2].encode()] == seen.values(fields[0].partition(":")[0].encode())
    assert len(seen.values(b"content-length")) + len(seen.values(b"transfer-encoding")) == 1


async def test_a_zstd_body_passes_with_its_field(make_relay: MakeRelay) -> None:
    body = b"\x28\xb5\x2f\xfd\x20\x02\x11\x00\x00{}"
    seen = await sent(make_relay, post("/v1/chat/completions", body, "Content-Encoding: zstd"))

    assert (body, [b"zstd"]) == (seen.body, seen.values(b"content-encoding"))


def chunks(body: bytes, size: int, *, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x%b\r\n%b\r\n" % (len(p), extension, p) for p in pieces) + b"0\r\n" + trailers + b"\r\n"


async def test_extensions_of_chunks_are_dropped(make_relay: MakeRelay) -> None:
    body = chunks(b"abcdef", 2, extension=b";a=b", trailers=b"")
    seen = await sent(make_relay, request("PUT", "/blob", "Transfer-Encoding: chunked") + body)

    assert seen.body == b"abcdef"


async def test_an_empty_body_with_a_length_keeps_its_length(make_relay: MakeRelay) -> None:
    assert (await sent(make_relay, post("/x", b""))).values(b"content-length") == [b"0"]
    assert (await sent(make_relay, request("POST", "/x"))).values(b"content-length") == []


async def test_expect_is_answered_here_and_not_sent_on(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            whole = post("/v1/chat/completions", CHAT, "Expect: 100-continue")
            head, body = whole.split(b"\r\n\r\n")
            peer.send(head + b"\r\n\r\n")
            assert (await peer.head()).status == 100
            peer.send(body)
            assert (await peer.answer()).status == 200

    assert (body, []) == (server.seen[0].body, server.seen[0].values(b"expect"))


@pytest.mark.parametrize("value", [b"100-Continue", b"\xff\xfe", b"what-ever"])
async def test_odd_expectations_do_no_harm(make_relay: MakeRelay, value: bytes) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            assert (await peer.ask(post("/x", b"12", b"Expect: " + value))).status == 200


async def test_an_http_1_0_client_is_not_told_to_continue(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        async with connected(rig.port) as peer:
            head, body = post("/x", b"12", "Expect: 100-continue", version="1.0").split(b"\r\n\r\n")
            peer.send(head + b"\r\n\r\n")
            await rig.until(lambda: rig.count(Counter.CALLS) == 1)
            peer.send(body)
            assert (await peer.head()).status == 200
