"""Calls whose cost LiteLLM told, or whose work Ollama told: the recordings, as records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from proxy.core.call import CallRecord
from proxy.core.config import Price
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.price_file import installed_price_file
from proxy.observe.pricing import PriceBook
from tests.wire.recordings import exchange_of, load, names

LITELLM = [name for name in names() if name.startswith("litellm")]
NATIVE = [name for name in names() if name.startswith("ollama") and b'"eval_duration"' in load(name).answer_body]


def record_of(name: str, prices: Mapping[str, Price] | None = None, *, estimate_tokens: bool = False) -> CallRecord:
    """The record of a recorded exchange."""
    exchange = exchange_of(load(name))
    frame = Frame(
        frames.FINISHED,
        msgspec.json.encode(exchange.finished),
        exchange.request_head,
        exchange.request_body,
        exchange.answer_head,
        exchange.answer_body,
        b"",
    )
    book = PriceBook(prices or {}, installed_price_file())
    record = Interpreter(Guards(), book, lambda _: None, estimate_tokens=estimate_tokens).observed(frame).record
    assert record is not None
    assert record.observer_errors == ()
    return record


@pytest.mark.parametrize("name", LITELLM)
def test_litellms_own_figure_is_the_cost(name: str) -> None:
    """Looked for in the bytes another way: the one header, or the one number in the last usage."""
    recording = load(name)
    header = re.search(rb"(?im)^x-litellm-response-cost: (\S+)\r$", recording.answer_head)
    inside = re.findall(rb'"cost": ?([\d.e-]+)', recording.answer_body)
    told = inside[-1].decode() if inside else header[1].decode() if header else None

    record = record_of(name)

    if told is None or Decimal(told) == 0 or recording.status != 200:
        assert record.cost_origin != "litellm"
    else:
        assert record.cost_nanousd == round(Decimal(told) * 10**9)
        assert (record.cost_source, record.cost_origin) == ("exact", "litellm")
    call_id = re.search(rb"(?im)^x-litellm-call-id: (\S+)\r$", recording.answer_head)
    assert record.litellm_call_id == (call_id[1].decode() if call_id else None)


def test_of_the_recordings_many_have_a_cost() -> None:
    assert sum(record_of(name).cost_origin == "litellm" for name in LITELLM) >= 30


@pytest.mark.parametrize("name", NATIVE)
def test_seconds_of_work_are_ollamas_own(name: str) -> None:
    body = load(name).answer_body
    told = sum(int(found[-1]) for key in (b"eval", b"prompt_eval") if (found := _durations(key, body)))

    record = record_of(name, {"*": Price(gpu_second_usd=0.001, shadow_model="gpt-4o-mini")})

    assert record.cost_nanousd == round(Decimal(told) / 1000)
    assert (record.cost_source, record.cost_origin) == ("local", "settings:*")
    if record.prompt_tokens is not None and record.completion_tokens is not None:
        expected = record.prompt_tokens * 150 + record.completion_tokens * 600
        assert record.shadow_cost_nanousd == expected
        assert (record.shadow_model, record.shadow_source) == ("gpt-4o-mini", "exact")


def test_dialects_without_durations_have_no_cost_by_work() -> None:
    record = record_of("ollama-0.33/chat-stream-usage", {"*": Price(watts=300, usd_per_kwh=0.3)})

    assert (record.cost_nanousd, record.cost_source, record.cost_origin) == (None, "unknown", None)


@pytest.mark.parametrize("server", ["ollama-0.33", "ollama-0.24"])
def test_a_client_that_left_pays_for_what_it_saw(server: str) -> None:
    price = Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, shadow_model="gpt-4o-mini")

    record = record_of(f"{server}/left-chat-stream-usage", {"*": price})

    assert (record.outcome, record.tokens_source, record.prompt_tokens) == ("client_gone", "counted", None)
    assert record.completion_tokens is not None
    assert (record.cost_nanousd, record.cost_source) == (2000 * record.completion_tokens, "local")
    assert (record.shadow_cost_nanousd, record.shadow_source) == (600 * record.completion_tokens, "exact")


def test_estimates_are_made_only_where_they_are_asked_for() -> None:
    name, price = "ollama-0.33/chat-same-plain", {"*": Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)}

    asked, not_asked = record_of(name, price, estimate_tokens=True), record_of(name, price)

    assert (not_asked.tokens_source, not_asked.cost_source) == ("missing", "unknown")
    assert (asked.tokens_source, asked.cost_source) == ("estimated", "local")
    assert asked.cost_nanousd == 1000 * (asked.prompt_tokens or 0) + 2000 * (asked.completion_tokens or 0) > 0


def _durations(key: bytes, body: bytes) -> list[bytes]:
    return re.findall(rb'"%s_duration": ?(\d+)' % key, body)
