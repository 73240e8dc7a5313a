"""Metrics say what the ledger says, and no client can make them grow without end."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.core.call import CallRecord
from proxy.core.config import MetricsCaps
from proxy.core.outcomes import Outcome
from proxy.core.tool_event import ToolEvent
from proxy.observe import definitions as d
from proxy.observe.families import Family
from proxy.observe.metrics import Metrics
from proxy.observe.observed import Observed
from proxy.observe.tool_names import TOOLS
from proxy.store import Ledger, open_ledger
from tests.observe.journals import FakeRelay
from tests.observe.pipelines import Kit

CAPS = MetricsCaps()
CALL = CallRecord(
    call_id="a",
    request_id="req-a",
    started_unix_ns=1_700_000_000 * 10**9,
    route="/v1/chat/completions",
    dialect="openai_chat",
    method="POST",
    outcome="ok",
    model="llama3.2",
    upstream="default",
    status=200,
    prompt_tokens=20,
    completion_tokens=5,
    cached_tokens=4,
    tokens_source="reported",
    cost_nanousd=30_000,
    cost_source="local",
    headers_s=0.01,
    first_byte_s=0.02,
    first_token_s=0.03,
    first_answer_token_s=0.04,
    duration_s=0.5,
    piece_gap_p50_s=0.02,
    piece_gap_max_s=0.2,
    overhead_s=0.0002,
    queue_s=0.1,
    load_s=0.1,
    prompt_eval_s=0.1,
    generation_s=0.1,
    request_bytes=100,
    response_bytes=1000,
    tool_calls=2,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(["default"])


def take(metrics: Metrics, **changed: Any) -> None:
    metrics.deliver([metrics.prepare(Observed(record=msgspec.structs.replace(CALL, **changed)))])


def values(metrics: Metrics, family: Family) -> dict[tuple[str, ...], float]:
    """Label values -> value, of a family's samples; of a histogram their counts."""
    found = {}
    for metric in metrics.collect():
        for sample in metric.samples:
            if sample.name in (family.name, f"{family.name}_count"):
                found[tuple(sample.labels[label] for label in family.labels)] = sample.value
    return found


def test_one_call_in_every_family_it_belongs_to(metrics: Metrics) -> None:
    take(metrics)

    both = ("/v1/chat/completions", "llama3.2")
    assert values(metrics, d.CALLS) == {(*both, "default", "ok", "2xx"): 1}
    assert values(metrics, d.OUTCOMES_TOTAL)[("ok",)] == 1
    assert values(metrics, d.DURATION) == {(*both, "ok"): 1}
    for family in (d.HEADERS, d.FIRST_BYTE, d.FIRST_TOKEN, d.FIRST_ANSWER_TOKEN, d.PIECE_GAP, d.PIECE_GAP_MAX):
        assert values(metrics, family) == {both: 1}
    for family in (d.QUEUE, d.LOAD, d.PROMPT_EVAL, d.GENERATION):
        assert values(metrics, family) == {("llama3.2",): 1}
    assert values(metrics, d.TOKENS) == {
        ("llama3.2", "prompt", "reported"): 20,
        ("llama3.2", "completion", "reported"): 5,
        ("llama3.2", "cached", "reported"): 4,
    }
    assert values(metrics, d.COST) == {("llama3.2", "default", "local"): 0.00003}
    assert values(metrics, d.TOOL_CALLS) == {("llama3.2", "other"): 2}
    assert values(metrics, d.LAST_SUCCESS) == {("default",): 1_700_000_000.5}


def test_a_shadow_cost_stands_beside_the_cost() -> None:
    metrics = Metrics(["default"])
    take(metrics, shadow_model="gpt-4o", shadow_cost_nanousd=2_000, shadow_source="exact")
    take(metrics, shadow_model="gpt-4o", shadow_source="unknown")

    assert values(metrics, d.SHADOW_COST) == {("llama3.2", "gpt-4o", "exact"): 0.000002}


def test_what_litellm_tells_is_counted() -> None:
    metrics = Metrics(["default"])
    take(metrics, litellm_call_id="a", litellm_overhead_s=0.02, litellm_retries=2, litellm_fallbacks=1)
    take(metrics, litellm_call_id="b", litellm_retries=0, litellm_fallbacks=0)

    assert values(metrics, d.LITELLM_RETRIES) == {("llama3.2",): 2}
    assert values(metrics, d.LITELLM_FALLBACKS) == {("llama3.2",): 1}


def test_a_cost_of_a_path_without_tokens_counts() -> None:
    """LiteLLM tells what an image cost."""
    metrics = Metrics(["default"])
    take(metrics, dialect="other", route="other", cost_nanousd=5, cost_source="exact")

    assert values(metrics, d.COST) == {("llama3.2", "default", "exact"): 5e-9}


def test_what_is_unknown_counts_as_nothing(metrics: Metrics) -> None:
    nothing = {
        field: None
        for field in CALL.__struct_fields__
        if field.endswith(("_s", "_tokens", "_bytes", "_nanousd")) or field in ("status", "upstream", "model")
    }
    take(metrics, outcome="interrupted", tokens_source="missing", cost_source="unknown", **nothing)

    assert values(metrics, d.CALLS) == {("/v1/chat/completions", "none", "none", "interrupted", "none"): 1}
    for family in (d.DURATION, d.FIRST_TOKEN, d.TOKENS, d.COST, d.UNPRICED, d.UNCOUNTED):
        assert values(metrics, family) == {}


def test_calls_without_price_and_calls_without_tokens(metrics: Metrics) -> None:
    take(metrics, cost_nanousd=None, cost_source="unknown")
    take(metrics, cost_nanousd=None, tokens_source="missing", prompt_tokens=None)
    take(metrics, cost_nanousd=None, tokens_source="missing", status=500, outcome="upstream_error")
    take(metrics, cost_nanousd=None, tokens_source="missing", dialect="other", route="/api/tags")

    assert values(metrics, d.UNPRICED) == {("llama3.2",): 1}
    assert values(metrics, d.UNCOUNTED) == {("llama3.2",): 1}


def test_errors_by_type_begin_at_zero_and_stay_bounded(metrics: Metrics) -> None:
    before = values(metrics, d.ERRORS)
    for number in range(1000):
        take(metrics, outcome="upstream_error", error_type=f"word-{number}")
    take(metrics, outcome="upstream_error", error_type="rate_limit")

    after = values(metrics, d.ERRORS)
    assert set(before.values()) == {0}
    assert len(after) <= len(before) + 65
    assert sum(after.values()) == 1001


def test_a_hundred_thousand_models_stay_capped(metrics: Metrics) -> None:
    take(metrics)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for number in range(100_000):
        take(metrics, model=f"model-{number}" + "x" * 200)

    series = {
        (sample.name.removesuffix("_bucket"), *sorted(sample.labels.items() - {("le", sample.labels.get("le"))}))
        for metric in metrics.collect()
        for sample in metric.samples
        if "model" in sample.labels
    }
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    counted = values(metrics, d.CALLS)
    assert len({labels[1] for labels in counted}) <= CAPS.max_models + 1
    assert len(series) <= 3 * (CAPS.max_series + 40)  # a histogram's set has three names: buckets, count, sum
    assert sum(counted.values()) == 100_001
    assert values(metrics, d.OVERFLOW)[("models",)] == 100_001 - CAPS.max_models
    assert grown_kib < 20 * 1024


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("rejected", 404), ("refused", 401), ("upstream_error", 502), ("upstream_error", None), ("client_gone", None)],
)
def test_names_that_were_only_refused_take_no_place(metrics: Metrics, outcome: Outcome, status: int) -> None:
    for number in range(1000):
        take(metrics, model=f"typo-{number}", outcome=outcome, status=status)
    take(metrics, model="right")

    assert {labels[1] for labels in values(metrics, d.CALLS)} == {"other", "right"}


def test_a_model_that_its_upstream_lists_has_its_place_while_it_fails(metrics: Metrics) -> None:
    take(metrics, model="listed", model_digest="sha256:1", outcome="upstream_error", status=502)

    assert {labels[1] for labels in values(metrics, d.CALLS)} == {"listed"}


def test_metrics_and_ledger_agree(tmp_path: Path, ledger: Ledger) -> None:
    relay = FakeRelay(tmp_path)
    for number in range(60):
        relay.start(f"call-{number}")
        match number % 6:
            case 0:
                relay.finish(f"call-{number}", status=429, upstream_status=429, answer=b'{"error":"busy"}')
            case 1:
                relay.finish(f"call-{number}", ending="client_left", error_code="client_left", answer=b"")
            case 2:
                pass  # interrupted
            case _:
                relay.finish(f"call-{number}")
    relay.die()
    metrics = Metrics(["default"])
    kit = Kit(tmp_path, ledger)
    kit.pipeline._gatherer._sinks = kit.pipeline._sinks = (metrics,)

    kit.run()

    totals = ledger.totals()
    by_outcome: Counter[str] = Counter()
    for labels, count in values(metrics, d.CALLS).items():
        by_outcome[labels[3]] += int(count)
    tokens = values(metrics, d.TOKENS)
    assert dict(by_outcome) == totals.outcomes
    assert {
        outcome: count for (outcome,), count in values(metrics, d.OUTCOMES_TOTAL).items() if count
    } == totals.outcomes
    assert sum(count for labels, count in tokens.items() if labels[1] == "prompt") == totals.prompt_tokens
    assert sum(count for labels, count in tokens.items() if labels[1] == "completion") == totals.completion_tokens
    assert round(sum(values(metrics, d.COST).values()) * 10**9) == totals.cost_nanousd > 0


def test_tools_by_name() -> None:
    metrics = Metrics(["default"])
    offered = [ToolEvent(kind="offered", position=n, tool=tool) for n, tool in enumerate(("f", "g"))]
    called = [
        ToolEvent(kind="called", position=0, tool="f", valid=True),
        ToolEvent(kind="called", position=1, tool="made up", valid=False),
    ]
    results = [
        ToolEvent(kind="result", position=0, tool="f", round_trip_s=2.0, error=False),
        ToolEvent(kind="result", position=1, tool="g", error=True),
        ToolEvent(kind="result", position=2, error=True),
    ]
    take(metrics, tool_calls=3, tool_events=(*offered, *called, *results))

    assert values(metrics, d.TOOLS_OFFERED) == {("f",): 1, ("g",): 1}
    assert values(metrics, d.TOOL_CALLS) == {("llama3.2", "f"): 1, ("llama3.2", "other"): 2}
    assert values(metrics, d.TOOL_CALLS_INVALID) == {("llama3.2", "other"): 1}
    assert values(metrics, d.TOOL_ROUND_TRIP) == {("f",): 1}
    assert values(metrics, d.TOOL_ERRORS) == {("g",): 1, ("none",): 1}


def test_names_of_tools_are_capped() -> None:
    metrics = Metrics(["default"])
    for number in range(200):
        take(metrics, tool_events=(ToolEvent(kind="offered", position=0, tool=f"tool_{number}"),))

    found = values(metrics, d.TOOLS_OFFERED)
    assert len(found) == TOOLS + 1
    assert found[("other",)] == 200 - TOOLS
    assert values(metrics, d.OVERFLOW)[("tools",)] == 200 - TOOLS


@pytest.mark.parametrize("outcome", ["rejected", "refused"])
def test_tools_of_refused_calls_take_no_place(metrics: Metrics, outcome: Outcome) -> None:
    for number in range(200):
        offered = ToolEvent(kind="offered", position=0, tool=f"tool_{number}")
        take(metrics, outcome=outcome, status=401, tool_events=(offered,))
    take(metrics, tool_events=(ToolEvent(kind="offered", position=0, tool="right"),))

    assert values(metrics, d.TOOLS_OFFERED) == {("other",): 200, ("right",): 1}


def test_a_call_of_a_trace_is_told_beside_what_it_changed(metrics: Metrics) -> None:
    take(metrics, trace_id="0af7651916cd43dd8448eb211c80319c")
    take(metrics, outcome="timeout")

    told = {
        (sample.name, sample.labels.get("outcome"), sample.labels.get("le")): sample.exemplar.labels
        for metric in metrics.collect()
        for sample in metric.samples
        if sample.exemplar is not None
    }
    assert set(told) == {
        ("sightglass_calls_total", "ok", None),
        ("sightglass_call_duration_seconds_bucket", "ok", "0.5"),
        ("sightglass_first_token_seconds_bucket", None, "0.05"),
    }
    assert list(told.values()) == 3 * [{"trace_id": "0af7651916cd43dd8448eb211c80319c"}]


def test_traces_and_a_hundred_thousand_models_stay_small(metrics: Metrics) -> None:
    """The worst: every call of another model, route and outcome, each with a trace of its own."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    for number in range(20_000):
        take(
            metrics,
            model=f"model-{number % 5000}",
            route=("/v1/chat/completions", "/api/chat", "/v1/responses")[number % 3],
            outcome=("ok", "timeout", "incomplete")[number // 7 % 3],
            duration_s=0.001 * 2 ** (number % 20),
            first_token_s=0.001 * 2 ** (number % 19),
            trace_id=f"{number:032x}",
        )
    metrics.collect()

    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert values(metrics, d.LABEL_SETS) == {(): CAPS.max_series}
    assert grown_kib < 20 * 1024
