"""LiteLLM's own account of a call, from the head of its answer."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.litellm import LiteLLM, read_litellm
from tests.wire.recordings import load, names


def test_a_plain_answer_tells_all() -> None:
    assert read_litellm(load("litellm-1.106/chat-plain").answer_head) == LiteLLM(
        call_id="1597f37e-b8ba-4561-90de-98efa5b74331",
        model_group="chat",
        model="ollama_chat/chat",
        model_id="ea2ef090ca8ad0e06484a4361e2aaf7c01d8d437338f39e5efd0ad0bc2473811",
        api_base="http://127.0.0.1:11434",
        retries=0,
        fallbacks=0,
        overhead_s=0.020664,
        cost_usd=Decimal("0.000063"),
    )


def test_the_zeros_of_a_stream_are_no_cost() -> None:
    head = load("litellm-1.106/chat-stream-usage").answer_head
    told = read_litellm(head)

    assert b"x-litellm-response-cost-original: 0.0" in head
    assert told is not None
    assert told.cost_usd is None


@pytest.mark.parametrize("name", [name for name in names() if not name.startswith("litellm")])
def test_an_ollama_is_no_litellm(name: str) -> None:
    assert read_litellm(load(name).answer_head) is None


@pytest.mark.parametrize(
    ("text", "usd"),
    [
        ("1.35e-05", "0.0000135"),
        ("0", "0"),
        ("0.0", "0"),
        ("3.9999999999999996e-05", "0.000039999999999999996"),
        ("None", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("-1", None),
        ("1e9", None),
        ("1" * 100, None),
        ("1_0", "10"),
    ],
)
def test_costs(text: str, usd: str | None) -> None:
    told = read_litellm(f"x-litellm-response-cost: {text}\r\n".encode())

    assert told is not None
    assert told.cost_usd == (None if usd is None else Decimal(usd))


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("https://user:secret@host:8000/v1?key=secret#secret", "https://host:8000/v1"),
        ("https://secret@host/", "https://host/"),
        ("http://[::1]:80/v1", "http://[::1]:80/v1"),
        ("http://[::1/v1", None),
        ("host/v1?key=secret", None),
        ("", None),
    ],
)
def test_an_address_keeps_no_credentials(address: str, bare: str | None) -> None:
    told = read_litellm(f"x-litellm-model-api-base: {address}\r\n".encode())

    assert told is not None
    assert told.api_base == bare


@pytest.mark.parametrize(("text", "count"), [("2", 2), ("0", 0), ("1.5", None), ("x", None), ("-1", None)])
def test_counts(text: str, count: int | None) -> None:
    told = read_litellm(f"X-LiteLLM-Attempted-Retries: {text}\r\n".encode())

    assert told is not None
    assert told.retries == count


@given(st.binary(max_size=80))
def test_nothing_foreign_raises(value: bytes) -> None:
    names = (b"response-cost", b"model-api-base", b"attempted-retries", b"overhead-duration-ms", b"call-id")
    read_litellm(b"".join(b"x-litellm-%s: %s\r\n" % (name, value) for name in names))
