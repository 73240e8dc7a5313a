"""Uploads are hashed as they pass, and pulls tell their progress."""

from __future__ import annotations

import hashlib
import json

from proxy.standin.server import StandIn

from .peer import ask, body_of, get, peer, post


async def test_a_large_upload_is_hashed_and_not_kept(stand_in: StandIn) -> None:
    piece, count = b"0123456789abcdef" * 4096, 300  # about 20 MB
    digest = hashlib.sha256(piece * count).hexdigest()
    head = (
        f"POST /api/blobs/sha256:{digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(piece) * count}\r\n\r\n"
    )
    async with peer(stand_in) as one:
        one.send(head.encode())
        for _ in range(count):
            one.send(piece)
            await one.writer.drain()
        got = await one.answer()

    assert got.startswith(b"HTTP/1.1 201 Created\r\n")
    assert stand_in.stats.last_request
    assert digest == stand_in.stats.last_request.body_sha256
    assert (await ask(stand_in, get(f"/api/blobs/sha256:{digest}", method="HEAD"))).startswith(b"HTTP/1.1 200 ")


async def test_what_is_there_is_refused_politely_without_being_read(stand_in: StandIn) -> None:
    digest = hashlib.sha256(b"a").hexdigest()
    await ask(stand_in, post(f"/api/blobs/sha256:{digest}", b"a"))
    head = f"POST /api/blobs/sha256-{digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"
    async with peer(stand_in) as one:
        one.send(head.encode() + b"b" * 1000)
        got = await one.answer()

    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in got


async def test_a_wrong_digest_is_an_error(stand_in: StandIn) -> None:
    wrong = await ask(stand_in, post("/api/blobs/sha256:" + "0" * 64, b"a"))
    odd = await ask(stand_in, post("/api/blobs/md5:1", b"a"))

    assert wrong.startswith(b"HTTP/1.1 400 ")
    assert b"digest mismatch" in wrong
    assert odd.startswith(b"HTTP/1.1 400 ")


async def test_a_pull_goes_on_to_success(stand_in: StandIn) -> None:
    lines = body_of(await ask(stand_in, post("/api/pull", {"model": "chat"}))).splitlines()
    steps = [json.loads(line) for line in lines]

    assert [steps[0]["status"], steps[-1]["status"]] == ["pulling manifest", "success"]
    assert "completed" not in steps[1]
    assert steps[1]["total"] == steps[6]["completed"]


async def test_a_pull_of_nothing_ends_with_an_error_line(stand_in: StandIn) -> None:
    streamed = await ask(stand_in, post("/api/pull", {"model": "nope"}))
    plain = await ask(stand_in, post("/api/pull", {"model": "nope", "stream": False}))

    assert streamed.startswith(b"HTTP/1.1 200 ")
    assert body_of(streamed).endswith(b'{"error":"pull model manifest: file does not exist"}\n')
    assert plain.startswith(b"HTTP/1.1 500 ")
