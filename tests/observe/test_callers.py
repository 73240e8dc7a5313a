"""What heads and bodies say of the caller: the SDKs' own headers, claims in their order, foreign bytes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.call import CallRecord
from proxy.observe import callers
from proxy.observe.agents import Agent, read_agent
from proxy.observe.callers import read_caller

# As openai 2.54 (Python) and 6.49 (Node) send them; recorded.
PYTHON = (
    b"Host: localhost:11435\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\n"
    b"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.54.0\r\nX-Stainless-Lang: python\r\n"
    b"X-Stainless-Package-Version: 2.54.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\n"
    b"X-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\nAuthorization: [struck out]\r\n"
    b"X-Stainless-Async: false\r\nx-stainless-retry-count: 1\r\nx-stainless-read-timeout: 600\r\nContent-Length: 9\r\n"
)
NODE = (
    b"accept: application/json\r\nx-stainless-retry-count: 0\r\nx-stainless-lang: js\r\n"
    b"x-stainless-package-version: 6.49.0\r\nx-stainless-runtime: node\r\nx-stainless-runtime-version: v20.11.0\r\n"
    b"user-agent: OpenAI/JS 6.49.0\r\naccept-language: *\r\nsec-fetch-mode: cors\r\n"
)


def test_the_openai_sdks() -> None:
    assert read_caller(PYTHON, {}) == {
        "client_sdk": "openai-python",
        "client_sdk_version": "2.54.0",
        "client_language": "python",
        "client_runtime": "CPython 3.11.7",
        "client_retry": 1,
    }
    assert read_caller(NODE, None) == {
        "client_sdk": "openai-js",
        "client_sdk_version": "6.49.0",
        "client_language": "js",
        "client_runtime": "node v20.11.0",
        "client_retry": 0,
    }


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("AsyncOpenAI/Python 2.54.0", Agent("openai-python", "2.54.0", "python", None)),
        ("AsyncAzureOpenAI/Python 1.2", Agent("azure-openai-python", "1.2", "python", None)),
        ("Anthropic/Python 0.84.0", Agent("anthropic-python", "0.84.0", "python", None)),
        ("ollama-python/0.6.2 (x86_64 linux) Python/3.11.7", Agent("ollama-python", "0.6.2", "python", None)),
        ("ollama/0.33.0 (amd64 linux) Go/go1.24.1", Agent("ollama", "0.33.0", "go", None)),
        ("MyApp/1.2 OpenAI/JS 6.49.0", Agent("openai-js", "6.49.0", "js", "MyApp")),
        ("claude-cli/2.1.0 (external, cli)", Agent(None, None, None, "claude-cli")),
        ("Python/3.11 aiohttp/3.14.5", Agent("aiohttp", "3.14.5", "python", None)),
        ("curl/8.5.0", Agent("curl", "8.5.0", None, None)),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", Agent(None, None, "js", "browser")),
        ("", Agent()),
        ("who knows", Agent()),
    ],
)
def test_user_agents(text: str, agent: Agent) -> None:
    assert read_agent(text) == agent


def test_our_headers_win_over_what_others_say() -> None:
    head = (
        b"X-Sightglass-User: ann\r\nx-sightglass-team: search\r\nx-sightglass-project: p\r\nx-sightglass-task: t\r\n"
        b"x-sightglass-session: s\r\nx-sightglass-app: notebook\r\nopenai-project: other\r\nx-title: Other\r\n"
        b"User-Agent: thing/1\r\n"
    )
    body = {"user": "bob", "metadata": {"team": "x", "session_id": "y"}, "safety_identifier": "h-1"}

    said = read_caller(head, body)

    assert said == {
        "client_app": "notebook",
        "claimed_user": "ann",
        "claimed_safety_identifier": "h-1",
        "claimed_team": "search",
        "claimed_project": "p",
        "claimed_task": "t",
        "claimed_session": "s",
        "claimed_metadata": '{"team":"x","session_id":"y"}',
    }


def test_without_our_headers_others_count() -> None:
    head = b"x-openwebui-user-id: 7\r\nx-openwebui-chat-id: c\r\nx-session-id: d\r\n"

    assert read_caller(head, {}) == {"claimed_user": "7", "claimed_session": "c"}
    assert read_caller(b"", {"metadata": {"user_id": "user_ab_account__session_cd"}}) == {
        "claimed_user": "user_ab_account__session_cd",
        "claimed_metadata": '{"user_id":"user_ab_account__session_cd"}',
    }


def test_baggage_is_looked_at_when_asked_for() -> None:
    head = b"baggage: user.id=ann%20b;p=1, session.id = s-1 ,team=%C3%BC,other=x\r\n"

    off, on = read_caller(head, {}), read_caller(head, {}, baggage=True)

    assert off == {}
    assert on == {"claimed_user": "ann b", "claimed_session": "s-1", "claimed_team": "ü"}


def test_metadata_is_short_plain_and_without_secrets() -> None:
    pairs = {
        "api_key": "sk-1",
        "Authorization": "x",
        "token": "t",
        "deep": {"a": 1},
        "list": [1],
        "n": 3,
        "flag": True,
        "long": "y" * 1000,
        **{f"k{number}": "v" * 200 for number in range(100)},
    }

    text = read_caller(b"", {"metadata": pairs})["claimed_metadata"]

    kept = orjson.loads(text)
    assert list(kept)[:3] == ["n", "flag", "long"]
    assert len(kept["long"]) == 256
    assert len(text) < 1500
    assert "sk-1" not in text
    assert read_caller(b"", {"metadata": {"big": 2**70}}) == {}


@pytest.mark.parametrize("value", ["-1", "x", "٣", "99999", ""])
def test_retries_that_are_none(value: str) -> None:
    assert read_caller(b"x-stainless-retry-count: " + value.encode() + b"\r\n", None) == {}


def test_claims_are_bounded_and_clean() -> None:
    user = read_caller(b"x-sightglass-user: " + b"a\x07b\xff" * 1000 + b"\r\n", {"user": "x"})["claimed_user"]

    assert 200 < len(user) <= 256
    assert user.isprintable()


def test_the_lines_remembered_are_bounded() -> None:
    for number in range(10_000):
        read_caller(f"x-sightglass-task: {number}\r\nContent-Length: {number}\r\n".encode(), None)

    assert len(callers._lines) <= 4096
    assert not any(line.lower().startswith(b"content-length") for line in callers._lines)


FOREIGN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.binary(max_size=300) | st.sampled_from([PYTHON, NODE, b"baggage: =;,==%,user.id=%ff\r\n"]),
    st.none() | st.fixed_dictionaries({}, optional=dict.fromkeys(("user", "metadata", "safety_identifier"), FOREIGN)),
)
def test_foreign_heads_and_bodies_raise_nothing(head: bytes, body: dict[str, Any] | None) -> None:
    for name, value in read_caller(head, body, baggage=True).items():
        assert name in CallRecord.__struct_fields__
        assert isinstance(value, int) or value.encode()


@given(st.text(st.characters(exclude_categories=()), max_size=300) | st.text("OpenAI/Python ()1.", max_size=80))
def test_foreign_user_agents_raise_nothing(text: str) -> None:
    assert len(read_agent(text)) == 4


def test_what_a_body_says_is_not_taken_for_its_head_s() -> None:
    bodies: list[dict[str, Any]] = [{"user": "ann"}, {"metadata": {"team": "red"}}, {}]
    heads = [PYTHON.replace(b"Length: 9", b"Length: %d" % length) for length in (2, 300, 40_000)]

    said = [read_caller(head, body) for head, body in zip(heads, bodies, strict=True)]

    plain = read_caller(PYTHON, {})
    assert said == [
        plain | {"claimed_user": "ann"},
        plain | {"claimed_team": "red", "claimed_metadata": '{"team":"red"}'},
        plain,
    ]
