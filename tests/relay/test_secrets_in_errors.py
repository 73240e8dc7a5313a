"""A server that repeats a wrong key in its error puts it into no journal, though the client gets every byte."""

from __future__ import annotations

from .conftest import MakeRelay
from .peer import ask, chat, post
from .rig import upstream
from .scripted import Scripted, answers

KEY = b"sk-client-0123456789"
BODY = b'{"error":{"message":"Incorrect API key provided: %b"}}' % KEY
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


async def test_a_repeated_key_is_struck_out_of_what_is_kept(make_relay: MakeRelay) -> None:
    async with Scripted(answers(REFUSED)) as server:
        rig = await make_relay(server.port)
        answer = await ask(rig.port, chat("Authorization: Bearer " + KEY.decode()))
        exchange = await rig.last()

    assert answer.body == BODY
    assert KEY not in exchange.answer_body + exchange.request_head
    assert b"Incorrect API key provided: [struck out]" in exchange.answer_body


async def test_a_model_in_the_path_chooses_the_upstream(make_relay: MakeRelay) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with Scripted(answers(ok)) as first, Scripted(answers(ok)) as other:
        rig = await make_relay((upstream(other.port, name="two", models=("gpt-*",)), upstream(first.port)))
        await ask(rig.port, post("/openai/deployments/gpt-4o/chat/completions", {}))
        exchange = await rig.last()

    assert exchange.finished.upstream == "two"
    assert (len(first.seen), len(other.seen)) == (0, 1)
