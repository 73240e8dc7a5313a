"""The console over real sockets: each page, who may ask, and that nothing leaks."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient

from proxy.console.app import SECURITY
from proxy.core.call_json import call_json
from proxy.store import open_reader
from proxy.store.engine import ledger_path
from tests.console.conftest import Stage

PAGES = ("/", "/style.css", "/metrics", "/health", "/ready", "/api/calls", "/nothing-here")


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_the_security_headers(client: TestClient, path: str) -> None:
    answer = await client.get(path)

    assert {name: answer.headers[name] for name in SECURITY} == SECURITY
    assert answer.status == (404 if path == "/nothing-here" else 200)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:11436", 200), ("127.0.0.1", 200), ("[::1]:11436", 200), ("evil.example", 403), ("a b", 403)],
)
async def test_other_names_than_ours_are_refused(client: TestClient, host: str, status: int) -> None:
    for path in PAGES[:-1]:
        answer = await client.get(path, headers={"Host": host})

        assert answer.status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    for path in PAGES[:-1]:
        assert (await client.request(method, path)).status == 405


async def test_the_last_calls_are_those_of_the_ledger(stage: Stage, client: TestClient, tmp_path: Path) -> None:
    await stage.calls("a", "b", "c")

    answer = await (await client.get("/api/calls?last=2")).json()

    with open_reader(tmp_path) as reader:
        assert answer == [call_json(call.record) for call in reader.last_calls(2)]
    assert [call["call_id"] for call in answer] == ["b", "c"]


@pytest.mark.parametrize("last", ["-1", "all", "", "²", "9999999"])
async def test_a_number_that_is_none_is_told(client: TestClient, last: str) -> None:
    answer = await client.get("/api/calls", params={"last": last})

    assert answer.status == 400
    assert "expected a number" in (await answer.json())["error"]


async def test_a_ledger_that_was_replaced_is_followed(stage: Stage, client: TestClient, tmp_path: Path) -> None:
    await stage.calls("a")
    await client.get("/api/calls")
    for path in tmp_path.glob("ledger.sqlite3*"):
        path.unlink()

    await stage.calls("b")

    assert [call["call_id"] for call in await (await client.get("/api/calls")).json()] == ["b"]


async def test_ready_when_calls_are_taken_and_recorded(stage: Stage, client: TestClient) -> None:
    ready = await client.get("/ready")
    stage.relay.die()
    without_relay = await client.get("/ready")

    assert (ready.status, await ready.json()) == (200, {"ready": True, "waiting_for": []})
    assert (without_relay.status, await without_relay.json()) == (503, {"ready": False, "waiting_for": ["relay"]})


async def test_not_ready_while_the_ledger_is_locked(stage: Stage, client: TestClient, tmp_path: Path) -> None:
    other = sqlite3.connect(ledger_path(tmp_path), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    stage.relay.call("a")
    await stage.until(lambda: stage.observing.state.doing == "ledger_away")

    ready = await client.get("/ready")
    health = await (await client.get("/health")).json()
    page = await (await client.get("/")).text()
    other.rollback()
    other.close()
    await stage.until(lambda: stage.observing.state.ledger_calls == 1)

    assert (await ready.json())["waiting_for"] == ["ledger"]
    assert (health["status"], health["ledger"]["status"], health["ledger"]["open"]) == ("failing", "failing", False)
    assert "Calls go on" in page
    assert (await client.get("/ready")).status == 200


async def test_no_secret_on_any_page(stage: Stage, client: TestClient) -> None:
    await stage.calls("a")

    for path in PAGES:
        assert "sk-secret" not in await (await client.get(path)).text()
