"""A real Prometheus with the shipped files scrapes a running Sightglass under mixed traffic with faults."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from bench.product import Product
from scripts.dashboards.pages import PAGES
from scripts.dashboards.panel import Panel
from tests.e2e.conftest import running
from tests.e2e.monitoring import Monitoring, wait_until
from tests.e2e.traffic import TRACE, mixed_traffic, tool_round

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CALLS, ROUNDS = 1000, 5
PRICE = {"input_usd_per_mtok": 0.05, "output_usd_per_mtok": 0.1, "shadow_model": "gpt-4o-mini"}
# What some panels need and this traffic does not bring.
MISSING = {"LiteLLM", "a judge", "faults", "wrong tool calls", "cold starts", "a drift baseline"}
NOW = {"$__rate_interval": "10m", "$__range": "10m", "$job": ".*", "$model": ".*"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitoring]:
    """Sightglass, Prometheus, Alertmanager; 1,000 calls and two rounds of tools went through."""
    folder = tmp_path_factory.mktemp("watched")
    env = {"SIGHTGLASS_PRICES": json.dumps({"llama3.2*": PRICE, "think": PRICE}), "SIGHTGLASS_OBSERVER__MODELS_S": "1"}
    for product in running(Product(folder, env=env)):
        monitoring = Monitoring(folder, product)
        try:
            monitoring.start()
            used(monitoring)
            yield monitoring
        finally:
            monitoring.stop()


def used(monitoring: Monitoring) -> None:
    """Send the traffic, with scrapes in between, as rates need them."""
    url = monitoring.product.url
    wait_until(lambda: monitoring.query("sightglass_upstream_up == 1"))
    for done in range(1, ROUNDS + 1):
        asyncio.run(mixed_traffic(url, CALLS // ROUNDS))
        asyncio.run(tool_round(url, result='{"degrees": 20}'))
        _scraped(monitoring, done)
    asyncio.run(tool_round(url, result='{"error": "no such city"}'))
    settled_rows(monitoring)
    wait_until(lambda: monitoring.query("rate(sightglass_tool_errors_total[10m])"))  # the newest series: two scrapes


def _scraped(monitoring: Monitoring, round_trips: int) -> None:
    """Wait until Prometheus has seen so many: a rate needs a scrape before and one behind."""
    wait_until(lambda: total(monitoring, "sightglass_tool_round_trip_seconds_count") >= round_trips)


def settled_rows(monitoring: Monitoring) -> list[dict[str, object]]:
    """The ledger's rows, once Prometheus has scraped as many."""
    found: list[dict[str, object]] = []

    def same() -> bool:
        found[:] = monitoring.product.rows()
        return total(monitoring, "sightglass_calls_total") == len(found) >= CALLS + 2 * (ROUNDS + 1)

    wait_until(same)
    return found


def total(monitoring: Monitoring, expr: str) -> float:
    return sum(float(sample["value"][1]) for sample in monitoring.query(expr))


def by(monitoring: Monitoring, expr: str, *labels: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample["metric"][label] for label in labels): float(sample["value"][1])
        for sample in monitoring.query(f"sum by ({', '.join(labels)}) ({expr})")
        if float(sample["value"][1])
    }


def test_every_target_is_up(watched: Monitoring) -> None:
    targets = watched.ask("/api/v1/targets")["activeTargets"]

    assert [(target["labels"]["job"], target["health"], target["lastError"]) for target in targets] == [
        ("sightglass", "up", "")
    ]


def test_calls_are_those_of_the_ledger(watched: Monitoring) -> None:
    rows = settled_rows(watched)
    ledger = Counter(
        (
            str(row["route"]),
            str(row["model"]),
            str(row["upstream"] or "none"),
            str(row["outcome"]),
            f"{int(str(row['status'])) // 100}xx" if row["status"] is not None else "none",
        )
        for row in rows
    )
    labels = ("route", "model", "upstream", "outcome", "status_class")
    # A name that never worked takes no label of its own.
    expected: Counter[tuple[str, ...]] = Counter()
    for key, count in ledger.items():
        expected[key[0], "other" if key[1] == "no-such-model" else key[1], *key[2:]] += count

    assert by(watched, "sightglass_calls_total", *labels) == expected
    outcomes = Counter((str(row["outcome"]),) for row in rows)
    assert by(watched, "sightglass_outcomes_total", "outcome") == outcomes
    assert {outcome for (outcome,) in outcomes} >= {"ok", "upstream_error", "incomplete", "rejected", "client_gone"}
    errors = Counter((str(row["error_type"]),) for row in rows if row["error_type"] is not None)
    assert by(watched, "sightglass_errors_total", "type") == errors


def test_tokens_are_those_of_the_ledger(watched: Monitoring) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    for row in settled_rows(watched):
        for kind in ("prompt", "completion", "cached", "reasoning"):
            count = row[f"{kind}_tokens"]
            if count:
                expected[str(row["model"]), kind, str(row["tokens_source"])] += int(str(count))

    assert expected
    assert by(watched, "sightglass_tokens_total", "model", "kind", "source") == expected


def test_money_is_that_of_the_ledger_to_the_nano_dollar(watched: Monitoring) -> None:
    expected: Counter[tuple[str, ...]] = Counter()
    shadow = 0
    for row in settled_rows(watched):
        if row["cost_nanousd"]:
            expected[str(row["model"]), str(row["cost_source"])] += int(str(row["cost_nanousd"]))
        shadow += int(str(row["shadow_cost_nanousd"] or 0))

    told = {
        key: round(value * 1e9) for key, value in by(watched, "sightglass_cost_usd_total", "model", "source").items()
    }
    assert told == expected
    assert round(total(watched, "sightglass_spent_usd_total") * 1e9) == sum(expected.values()) > 0
    assert round(total(watched, "sum(sightglass_shadow_cost_usd_total)") * 1e9) == shadow > 0


@pytest.mark.parametrize(
    "panel",
    [
        pytest.param(panel, id=f"{page.uid}: {panel.title}")
        for page in PAGES
        for row in page.rows
        for panel in row.panels
    ],
)
def test_every_query_of_the_dashboards_gives_something(watched: Monitoring, panel: Panel) -> None:
    for query in panel.queries:
        expr = query.expr
        for name, value in NOW.items():
            expr = expr.replace(name, value)

        found = [float(sample["value"][1]) for sample in watched.query(expr)]

        if panel.needs in MISSING:
            continue  # that it parses is what can be seen here
        assert [value for value in found if not math.isnan(value)], expr


def test_every_rule_evaluates(watched: Monitoring) -> None:
    def rules() -> list[dict[str, str]]:
        return [rule for group in watched.ask("/api/v1/rules")["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()))

    assert {(rule["health"], rule.get("lastError")) for rule in rules()} == {("ok", None)}
    assert watched.query("sightglass:failed:ratio_rate5m")
    assert watched.query("sightglass:first_token_slow:ratio_rate5m")
    assert watched.query("sightglass:duration_slow:calls1h")


def test_a_firing_alert_reaches_alertmanager(watched: Monitoring) -> None:
    """A burst of failures, then only those."""

    def fired() -> list[dict[str, str]]:
        asyncio.run(mixed_traffic(watched.product.url, 22))
        labels = [alert["labels"] for alert in watched.ask("/api/v2/alerts", of="alertmanager")]
        wanted = {"alertname": "SightglassAvailability", "severity": "page"}  # the ticket may come before it
        return [each for each in labels if wanted.items() <= each.items()]

    wait_until(fired)

    (page,) = fired()
    assert page["job"] == "sightglass"


def test_traces_are_kept_as_exemplars(watched: Monitoring) -> None:
    now = time.time()
    for name in ("sightglass_call_duration_seconds_bucket", "sightglass_first_token_seconds_bucket"):
        found = watched.ask("/api/v1/query_exemplars", query=name, start=str(now - 600), end=str(now + 60))

        assert {example["labels"]["trace_id"] for series in found for example in series["exemplars"]} == {TRACE}
