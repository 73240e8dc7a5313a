"""What a scraper gets: forms, packing, and that promtool has nothing to say about it."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
from collections.abc import Iterable
from typing import Any

from aiohttp.test_utils import TestClient
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from proxy.observe import definitions as d
from tests.console.conftest import Stage
from tests.programs import require_program

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


async def test_promtool_finds_nothing_to_complain_about(stage: Stage, client: TestClient) -> None:
    await stage.calls("a", "b")
    stage.relay.call("c", status=500, upstream_status=500)
    text = await (await client.get("/metrics")).read()

    assert promtool_says(text) == (0, b"", b"")


def _values(families: Iterable[Metric]) -> dict[Any, float]:
    """But those that no two scrapes have in common."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.startswith(("sightglass_scrape_", "sightglass_process_"))
    }


async def test_plain_text_and_openmetrics_say_the_same(stage: Stage, client: TestClient) -> None:
    await stage.calls("a", "b")

    for _ in range(50):  # the product goes on between two scrapes: those that frame the third must say the same
        plain, modern, again = [
            await client.get("/metrics", headers=headers) for headers in ({}, {"Accept": OPENMETRICS}, {})
        ]
        in_text, later = _values(read_text(await plain.text())), _values(read_text(await again.text()))
        if in_text == later:
            break
    in_openmetrics = _values(read_openmetrics(await modern.text()))
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert modern.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert in_openmetrics == in_text
    assert in_text[("sightglass_outcomes_total", ("outcome", "ok"))] == 2


async def test_traces_are_told_in_openmetrics_only(stage: Stage, client: TestClient) -> None:
    await stage.calls("a", trace_id="0af7651916cd43dd8448eb211c80319c")

    plain = await (await client.get("/metrics")).text()
    modern = await (await client.get("/metrics", headers={"Accept": OPENMETRICS})).text()

    told = [line for line in modern.splitlines() if '# {trace_id="0af7651916cd43dd8448eb211c80319c"}' in line]
    assert {line.partition("{")[0] for line in told} >= {
        "sightglass_calls_total",
        "sightglass_call_duration_seconds_bucket",
    }
    assert "trace_id" not in plain


async def test_every_family_is_there_from_the_start(client: TestClient) -> None:
    text = await (await client.get("/metrics")).text()

    assert [family.name for family in d.FAMILIES if f"# HELP {family.name} " not in text] == []
    for sample in (
        'sightglass_outcomes_total{outcome="interrupted"} 0.0',
        'sightglass_observer_errors_total{part="pricing"} 0.0',
        'sightglass_frames_lost_total{kind="finished"} 0.0',
        'sightglass_upstream_up{upstream="default"} 0.0',
        "sightglass_active_calls 0.0",
    ):
        assert sample in text


async def test_packed_when_it_is_asked_for(client: TestClient) -> None:
    async with client.get("/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = answer.headers["Content-Encoding"]
        text = await answer.text()  # aiohttp unpacks
    async with client.get("/metrics", headers={"Accept-Encoding": "identity"}) as answer:
        plain = answer.headers.get("Content-Encoding")

    assert (packed, plain) == ("gzip", None)
    assert "sightglass_build_info" in text
    assert len(gzip.compress(text.encode(), 1)) < len(text) / 4


async def test_calls_under_way_and_those_of_the_dead(stage: Stage, client: TestClient) -> None:
    stage.relay.start("a")
    under_way = await (await client.get("/metrics")).text()
    stage.relay.die()
    await stage.until(lambda: stage.observing.state.ledger_calls == 1)
    after = await (await client.get("/metrics")).text()

    assert "sightglass_active_calls 1.0" in under_way
    assert "sightglass_active_calls 0.0" in after
    assert "sightglass_accepted_calls_total 1.0" in after
    assert 'sightglass_outcomes_total{outcome="interrupted"} 1.0' in after


async def test_many_scrapes_at_once(stage: Stage, client: TestClient) -> None:
    await stage.calls("a")

    answers = await asyncio.gather(*(client.get("/metrics") for _ in range(20)))

    assert {answer.status for answer in answers} == {200}


def promtool_says(text: bytes) -> tuple[int, bytes, bytes]:
    """Status, output and errors of `promtool check metrics`."""
    command = [require_program("promtool"), "check", "metrics"]
    run = subprocess.run(command, input=text, capture_output=True, check=False)
    return run.returncode, run.stdout, run.stderr
