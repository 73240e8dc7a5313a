"""Who may call, through a relay on real sockets: keys, origins, management paths; what goes upstream with them."""

from __future__ import annotations

import json

import pytest

from proxy.control.snapshot import Snapshot
from proxy.core.client_key import new_key
from proxy.core.config import Access
from tests.policy.test_keys import kept

from .conftest import MakeRelay
from .peer import CHAT, ask, chat, post, request
from .rig import Rig, upstream
from .scripted import Scripted, answers

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ALICE, BOB, UPSTREAM_KEY = new_key(), new_key(), "sk-upstream-0123456789"
SNAPSHOT = Snapshot(keys=(kept(ALICE, "alice"), kept(BOB, "bob", revoked=7)))
BEARER = f"Authorization: Bearer {ALICE}"


async def keyed(make_relay: MakeRelay, server: Scripted, **changes: object) -> Rig:
    rig = await make_relay((upstream(server.port, **changes),))
    rig.handler.admission.take(SNAPSHOT)
    return rig


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([], "missing_api_key"),
        (["Authorization: "], "missing_api_key"),
        (["Authorization: Bearer sk-unused"], "invalid_api_key"),
        (["Authorization: Basic " + ALICE[:-1]], "invalid_api_key"),
        ([f"Authorization: Bearer {BOB}"], "revoked_api_key"),
        ([f"Cookie: key={ALICE}"], "missing_api_key"),
        ([f"X-Key: {ALICE}"], "missing_api_key"),
    ],
    ids=["nothing", "empty", "unknown", "basic", "revoked", "cookie", "other field"],
)
async def test_without_a_valid_key_nothing_goes_upstream(make_relay: MakeRelay, fields: list[str], code: str) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, chat(*fields))
        if code is not None:
            exchange = await rig.last()

    assert not server.seen
    assert (answer.status, answer.error["code"]) == (401, code)
    assert answer.value(b"www-authenticate") == b"Bearer"
    assert (exchange.finished.ending, exchange.finished.error_code) == ("refused", code)
    assert exchange.finished.key_name == ("bob" if code == "revoked_api_key" else None)


async def test_a_key_in_the_query_opens_nothing(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, post(f"/v1/chat/completions?key={ALICE}&api_key={ALICE}", CHAT))

    assert (answer.status, server.seen) == (401, [])


@pytest.mark.parametrize(
    "field",
    [BEARER, f"authorization: bearer {ALICE}", f"x-api-key: {ALICE}", f"api-key: {ALICE}"],
    ids=["Bearer", "bearer", "x-api-key", "api-key"],
)
@pytest.mark.parametrize("key", [UPSTREAM_KEY, None])
async def test_our_key_stays_here_and_the_upstreams_goes_if_there_is_one(
    make_relay: MakeRelay, field: str, key: str | None
) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server, key=key)
        answer = await ask(rig.port, chat(field))
        exchange = await rig.last()

    sent = server.seen[0].raw_head
    assert (answer.status, exchange.finished.key_name) == (200, "alice")
    assert ALICE.encode() not in sent
    assert (b"Authorization: Bearer " + UPSTREAM_KEY.encode() in sent) == (key is not None)
    assert sent.lower().count(b"authorization:") == (key is not None)
    kept_bytes = exchange.request_head + exchange.request_body + exchange.answer_head + exchange.answer_body
    assert ALICE.encode() not in kept_bytes
    assert UPSTREAM_KEY.encode() not in kept_bytes


async def test_all_credentials_stay_here_once_one_of_them_is_ours(make_relay: MakeRelay) -> None:
    """Anthropic's library sends two fields when both of its variables are set."""
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, chat(f"x-api-key: {ALICE}", "Authorization: Bearer sk-ant-other-9876543210"))

    assert answer.status == 200
    assert b"sk-ant-other" not in server.seen[0].raw_head


async def test_two_keys_of_ours_are_two_readings(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, chat(f"x-api-key: {BOB}", BEARER))

    assert (answer.status, answer.error["code"], server.seen) == (400, "several_api_keys", [])


async def test_a_key_that_connection_names_is_no_key(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, chat(BEARER, "Connection: authorization"))

    assert (answer.status, server.seen) == (401, [])


async def test_a_key_is_revoked_between_two_calls_of_a_connection(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        first = await ask(rig.port, chat(BEARER))
        rig.handler.admission.take(Snapshot(keys=(kept(ALICE, "alice", revoked=9),)))
        second = await ask(rig.port, chat(BEARER))

    assert (first.status, second.status, second.error["code"]) == (200, 401, "revoked_api_key")


async def test_anthropics_clients_read_the_refusal_in_their_shape(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, post("/v1/messages", CHAT, "x-api-key: wrong-wrong-wrong"))

    told = json.loads(answer.body)
    assert (answer.status, told["type"], told["error"]["type"]) == (401, "error", "authentication_error")
    assert answer.error["code"] == "invalid_api_key"


async def test_while_the_control_file_cannot_be_read_nobody_calls(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        rig.handler.admission.take(None)
        answer = await ask(rig.port, chat(BEARER))

    assert (answer.status, answer.error["code"], server.seen) == (503, "control_unreadable", [])


async def test_required_before_the_first_key(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, access=Access(client_keys="required"))
        answer = await ask(rig.port, chat(BEARER))

    assert (answer.status, server.seen) == (401, [])


async def test_health_for_load_balancers_needs_no_key(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server)
        answer = await ask(rig.port, request("GET", "/-/health"))

    assert answer.status == 200


async def test_without_keys_a_clients_credentials_pass_as_before(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port)
        await ask(rig.port, chat("Authorization: Bearer sk-mine"))

    assert b"Authorization: Bearer sk-mine" in server.seen[0].raw_head


# -- pages --------------------------------------------------------------------------------------------------------


async def test_a_page_of_another_site_is_refused_before_anything_else(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await keyed(make_relay, server, kind="openai")
        answers_ = [
            await ask(rig.port, chat(BEARER, "Origin: https://evil.example.com")),
            await ask(rig.port, chat(BEARER, "Origin: null")),
            await ask(rig.port, chat(BEARER, "Origin: http://localhost", "Origin: https://evil.example.com")),
            await ask(rig.port, request("OPTIONS", "/v1/chat/completions", "Origin: https://evil.example.com")),
        ]

    assert [(answer.status, answer.error["code"]) for answer in answers_] == [(403, "origin_refused")] * 4
    assert not server.seen


async def test_before_ollama_without_a_key_of_ours_the_upstream_says_which_pages_may(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        page = chat("Origin: https://evil.example.com")
        passed = await ask((await make_relay(server.port)).port, page)
        ours = (upstream(server.port),), (upstream(server.port, kind="openai"),), (upstream(server.port, key="sk-1"),)
        refused = [
            await ask((await make_relay(ours[0], allowed_origins=("https://chat.example.com",))).port, page),
            await ask((await make_relay(ours[1])).port, page),
            await ask((await make_relay(ours[2])).port, page),
        ]

    assert passed.status == 200
    assert b"Origin: https://evil.example.com" in server.seen[0].raw_head
    assert [(answer.status, answer.error["code"]) for answer in refused] == [(403, "origin_refused")] * 3
    assert len(server.seen) == 1


async def test_an_allowed_page_asks_beforehand_without_a_key_and_no_key_goes_upstream(make_relay: MakeRelay) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(
            (upstream(server.port, key=UPSTREAM_KEY),), allowed_origins=("https://chat.example.com",)
        )
        rig.handler.admission.take(SNAPSHOT)
        origin = "Origin: https://chat.example.com"
        asked = await ask(
            rig.port, request("OPTIONS", "/v1/models", origin, "Access-Control-Request-Method: POST", BEARER)
        )
        called = await ask(rig.port, chat(BEARER, origin))

    assert (asked.status, called.status) == (200, 200)
    assert b"authorization:" not in server.seen[0].raw_head.lower()
    assert UPSTREAM_KEY.encode() in server.seen[1].raw_head


# -- management ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/api/pull", "/api//pull", "/api/%70ull?x=1", "/v1/../api/delete", "/api/BLOBS/x"])
@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "DELETE"])
async def test_management_is_closed_once_bound_publicly(make_relay: MakeRelay, target: str, method: str) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, host="0.0.0.0", allow_public_bind=True)
        answer = await ask(rig.port, request(method, target))
        exchange = await rig.last()

    assert (answer.status, exchange.finished.error_code, server.seen) == (403, "management_closed", [])
    if method != "HEAD":
        told = json.loads(answer.body)
        assert "access.ollama_management" in told["error"]  # Ollama's clients print this text


@pytest.mark.parametrize(
    ("host", "said", "status"),
    [("127.0.0.1", "auto", 200), ("127.0.0.1", "closed", 403), ("0.0.0.0", "open", 200), ("::1", "auto", 200)],
)
async def test_management_can_be_set_either_way(make_relay: MakeRelay, host: str, said: str, status: int) -> None:
    async with Scripted(answers(OK)) as server:
        rig = await make_relay(server.port, host=host, access=Access(ollama_management=said))  # type: ignore[arg-type]
        answer = await ask(rig.port, request("POST", "/api/copy", "Content-Length: 0"))

    assert answer.status == status
