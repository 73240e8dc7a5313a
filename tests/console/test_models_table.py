"""Models where people look: health, page, metrics, events; and that no text of a server can do anything there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient

from proxy.console.models_table import size
from proxy.core.event import Event
from proxy.observe.upstreams.answers import Installed, Loaded
from proxy.observe.upstreams.looking import Seen
from proxy.observe.upstreams.watch import ModelsSeen
from proxy.store import UpstreamChanges, open_ledger
from tests.console.conftest import Stage
from tests.console.test_page import EVIL, Text


def show(
    stage: Stage, *installed: Installed, loaded: dict[str, Loaded] | None = None, error: str | None = None
) -> None:
    watch = stage.watcher._watches["default"]
    watch.seen = Seen(up=True, kind="ollama", version="0.33.0", at_unix_s=1000.0)
    watch.models = ModelsSeen(
        installed={model.name: model for model in installed}, loaded=loaded or {}, error=error, at_unix_s=1000.0
    )


CHAT = Installed(name="chat:latest", digest="0123456789abcdef", quantization="Q4_K_M", size_bytes=2_019_393_189)
LOADED = Loaded(vram_bytes=3_000_000_000, context=8192)


async def test_health_counts_them(stage: Stage, client: TestClient) -> None:
    before = (await (await client.get("/health")).json())["upstreams"][0]["models"]
    show(stage, CHAT, Installed(name="b:1"), loaded={"chat:latest": LOADED})

    health = await (await client.get("/health")).json()

    assert before == {"installed": None, "loaded": None, "looked_at": None, "error": None}
    assert (health["status"], health["upstreams"][0]["models"]["installed"]) == ("ok", 2)
    assert health["upstreams"][0]["models"]["loaded"] == 1


async def test_health_says_why_they_are_not_known(stage: Stage) -> None:
    show(stage, CHAT, error="/api/tags: status 500")
    stage.watcher._watches["default"].not_ready = "it says that it is not ready (status 503)"

    report = stage.health.report()

    assert report["status"] == "degraded"
    assert report["problems"] == [
        "The upstream default answers, but it says that it is not ready (status 503).",
        "The models of the upstream default are not known: /api/tags: status 500.",
    ]


async def test_the_page_shows_them(stage: Stage, client: TestClient) -> None:
    without = await (await client.get("/")).text()
    running = Loaded(vram_bytes=3_000_000_000, context=8192, expires_unix_s=time.time() + 299)
    show(stage, Installed(name=EVIL, quantization=EVIL), CHAT, loaded={"chat:latest": running})

    page = Text(await (await client.get("/")).text())

    assert "Models" not in Text(without).text
    for words in ("0123456789ab", "Q4_K_M", "8,192", "2.0 GB", "3.0 GB", "yes, 5 min left", EVIL):
        assert words in page.text
    assert "0123456789abc" not in page.text
    assert page.text.index("chat:latest") < page.text.index(EVIL)
    assert "script" not in page.tags


async def test_the_page_shows_the_first_of_many(stage: Stage, client: TestClient) -> None:
    show(stage, *(Installed(name=f"m{number}") for number in range(1000)))

    assert "And 950 more." in await (await client.get("/")).text()


async def test_metrics_are_capped(stage: Stage, client: TestClient) -> None:
    loaded = {f"m{number}": LOADED for number in range(500, 620)}
    show(stage, *(Installed(name=f"m{number}") for number in range(1000)), loaded=loaded)

    text = await (await client.get("/metrics")).text()

    lines = [line for line in text.splitlines() if line.startswith("sightglass_model_loaded{")]
    assert len(lines) == 101
    assert 'sightglass_model_loaded{model="other",upstream="default"} 20.0' in lines
    assert 'sightglass_model_vram_bytes{model="m500",upstream="default"} 3e+09' in text
    assert 'sightglass_models_installed{upstream="default"} 1000.0' in text
    assert 'sightglass_upstream_last_look_timestamp_seconds{upstream="default"} 1000.0' in text
    assert 'sightglass_upstream_changes_total{kind="digest",upstream="default"} 0.0' in text
    assert 'sightglass_upstream_info{kind="ollama",upstream="default",version="0.33.0"} 1.0' in text


@pytest.mark.usefixtures("stage")
async def test_events_are_listed(client: TestClient, tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.note_changes(
            UpstreamChanges(events=[Event(at_unix_ns=number, kind="version", after=str(number)) for number in (1, 2)])
        )

    answer = await (await client.get("/api/events?last=1")).json()
    wrong = await client.get("/api/events?last=x")

    assert [(event["event_id"], event["kind"], event["after"]) for event in answer] == [(2, "version", "2")]
    assert (wrong.status, "/api/events?last=20" in (await wrong.json())["error"]) == (400, True)


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (42_000_000_000, "42 GB")]
)
def test_sizes(count: int | None, text: str) -> None:
    assert size(count) == text
