"""The console asks who comes, where it has to: on real sockets, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from proxy.console.app import Console
from proxy.console.exposition import Exposition
from proxy.console.guard import COOKIE
from proxy.core.config import Access
from tests.console.conftest import Stage

TOKEN = "sga-0123456789abcdef0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CLOSED = ("/", "/metrics", "/api/calls", "/api/events", "/nothing-here")


@pytest.fixture
async def guarded(stage: Stage) -> AsyncIterator[TestClient]:
    config = replace(stage.config, access=Access(console_login="required"))
    console = Console(config, stage.health, Exposition(stage.metrics), admin_token=TOKEN)
    async with TestClient(TestServer(console.app()), cookie_jar=CookieJar(unsafe=True)) as client:
        yield client
    await console.close()


async def log_in(client: TestClient, token: str = TOKEN, **headers: str) -> object:
    return await client.post("/login", data={"token": token, "to": "/"}, headers=headers, allow_redirects=False)


@pytest.mark.parametrize("path", CLOSED)
async def test_everything_is_closed_but_what_has_to_be_open(guarded: TestClient, path: str) -> None:
    program = await guarded.get(path, allow_redirects=False)
    person = await guarded.get(path, headers={"Accept": "text/html,*/*"}, allow_redirects=False)
    with_token = await guarded.get(path, headers=BEARER)

    assert (program.status, program.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert (person.status, person.headers["Location"]) == (303, f"/login?to={path}")
    assert with_token.status == (404 if path == "/nothing-here" else 200)


async def test_load_balancers_see_whether_it_is_well_and_no_more(guarded: TestClient) -> None:
    health, ready = await guarded.get("/health"), await guarded.get("/ready")
    whole = await guarded.get("/health", headers=BEARER)

    assert (health.status, set(await health.json())) == (200, {"status"})
    assert set(await ready.json()) == {"ready", "waiting_for"}
    assert "upstreams" in await whole.json()


async def test_a_person_logs_in_and_out(guarded: TestClient) -> None:
    page = await (await guarded.get("/login?to=/api/calls")).text()
    answer = await guarded.post("/login", data={"token": f" {TOKEN}\n", "to": "/api/calls"}, allow_redirects=False)
    cookie = answer.headers["Set-Cookie"]

    assert answer.headers["Referrer-Policy"] == "same-origin"  # with no-referrer a browser hides the form's origin
    assert 'type="password"' in page
    assert 'value="/api/calls"' in page
    assert (answer.status, answer.headers["Location"]) == (303, "/api/calls")
    assert cookie.startswith(f"{COOKIE}=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"))
    assert TOKEN not in cookie
    assert "Log out" in await (await guarded.get("/")).text()
    await guarded.post("/logout")
    assert (await guarded.get("/metrics")).status == 401


async def test_five_wrong_tries_then_429_also_for_the_right_one(guarded: TestClient) -> None:
    wrong = [(await log_in(guarded, "x" * 20)).status for _ in range(5)]  # type: ignore[attr-defined]
    sixth = await log_in(guarded)

    assert wrong == [403] * 5
    assert sixth.status == 429  # type: ignore[attr-defined]
    assert 0 < int(sixth.headers["Retry-After"]) <= 60  # type: ignore[attr-defined]
    assert (await guarded.get("/metrics", headers=BEARER)).status == 200  # who knows it is not kept out


async def test_wrong_bearers_are_slowed_too(guarded: TestClient) -> None:
    statuses = [(await guarded.get("/metrics", headers={"Authorization": "Bearer x"})).status for _ in range(7)]

    assert statuses == [401] * 5 + [429] * 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_others_write_nothing(guarded: TestClient, headers: dict[str, str]) -> None:
    assert (await log_in(guarded, **headers)).status == 403  # type: ignore[attr-defined]
    assert (await guarded.post("/logout", headers=headers)).status == 403


async def test_our_own_page_writes(guarded: TestClient) -> None:
    origin = f"http://{guarded.host}:{guarded.port}"

    assert (await log_in(guarded, Origin=origin)).status == 303  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "to",
    ["//evil.com", "https://evil.com", "/\\evil.com", "javascript:alert(1)", "/x\r\nSet-Cookie: a=b", "", "/" * 600],
)
async def test_the_login_leads_to_no_other_site(guarded: TestClient, to: str) -> None:
    answer = await guarded.post("/login", data={"token": TOKEN, "to": to}, allow_redirects=False)

    assert answer.headers["Location"] == "/"


async def test_text_in_the_link_is_escaped(guarded: TestClient) -> None:
    page = await (await guarded.get("/login", params={"to": '/"><script>alert(1)</script>'})).text()

    assert "<script" not in page


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
)
async def test_only_the_whole_token_opens(guarded: TestClient, authorization: str) -> None:
    assert (await guarded.get("/metrics", headers={"Authorization": authorization})).status == 401


async def test_a_token_in_the_query_opens_nothing(guarded: TestClient) -> None:
    assert (await guarded.get(f"/metrics?token={TOKEN}&access_token={TOKEN}")).status == 401


async def test_on_loopback_nobody_is_asked(client: TestClient) -> None:
    assert (await client.get("/metrics")).status == 200
    assert (await client.get("/login")).status == 404
    assert (await client.get("/metrics", headers={"Authorization": "Bearer whatever"})).status == 200


async def test_a_public_console_is_guarded_without_being_told(stage: Stage) -> None:
    console = Console(replace(stage.config, console_host="0.0.0.0"), stage.health, Exposition(stage.metrics))
    async with TestClient(TestServer(console.app())) as client:
        assert (await client.get("/metrics")).status == 401
        assert (await client.get("/metrics", headers={"Authorization": "Bearer None"})).status == 401
    await console.close()
