"""x-request-id: answers carry the upstream's, else the client's, else the call's; records the client's first."""

from __future__ import annotations

import pytest

from .conftest import MakeRelay
from .peer import ask, chat, request
from .scripted import OK, Scripted, answers


@pytest.mark.parametrize("reply", [None, b"theirs"])
@pytest.mark.parametrize("sent", [None, "mine-1", "x" * 128, "x" * 129, "caf\xe9", "a b", ""])
async def test_whose_id_counts(make_relay: MakeRelay, sent: str | None, reply: bytes | None) -> None:
    said = OK if reply is None else OK.replace(b"\r\n\r\n", b"\r\nX-Request-ID: %b\r\n\r\n" % reply)
    fields = [] if sent is None else [b"x-request-id: " + sent.encode("latin-1")]
    async with Scripted(answers(said)) as server:
        rig = await make_relay(server.port)
        answer = await ask(rig.port, request("GET", "/x", *fields))
        finished = (await rig.last()).finished

    sane = sent if sent in ("mine-1", "x" * 128) else None
    theirs = None if reply is None else reply.decode()
    assert (theirs or sane or finished.call_id).encode() == answer.value(b"x-request-id")
    assert (sane or theirs or finished.call_id) == finished.request_id
    assert ([] if sent is None else [sent.encode("latin-1")]) == server.seen[0].values(b"x-request-id")


async def test_ids_of_calls_differ_and_sort_by_time(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        for _ in range(10):
            await ask(rig.port, chat())
        ids = [exchange.finished.call_id for exchange in await rig.ended(10)]

    assert len(set(ids)) == 10
    assert sorted(one[:12] for one in ids) == [one[:12] for one in ids]
    assert {32} == {len(one) for one in ids}
