"""Paths are matched as sent, and labels come from a closed set."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.wire.routes import DIALECTS, OTHER, ROUTES, match, model_in_path


@pytest.mark.parametrize(
    ("target", "template", "dialect"),
    [
        ("/v1/chat/completions", "/v1/chat/completions", "openai_chat"),
        ("/chat/completions?api-version=1", "/chat/completions", "openai_chat"),
        ("/openai/deployments/gpt-4o/chat/completions", "/openai/deployments/{model}/chat/completions", "openai_chat"),
        ("/v1/completions", "/v1/completions", "openai_completions"),
        ("/v1/embeddings", "/v1/embeddings", "openai_embeddings"),
        ("/responses", "/responses", "openai_responses"),
        ("/v1/responses/resp_1/cancel", "/v1/responses/{response_id}/cancel", "other"),
        ("/v1/messages", "/v1/messages", "anthropic_messages"),
        ("/api/chat", "/api/chat", "ollama_chat"),
        ("/api/generate", "/api/generate", "ollama_generate"),
        ("/api/embed", "/api/embed", "ollama_embed"),
        ("/api/embeddings", "/api/embeddings", "ollama_embeddings"),
        ("/v1/models/chat%3Alatest", "/v1/models/{model}", "other"),
        ("/", "/", "other"),
    ],
)
def test_known_paths_have_their_template(target: str, template: str, dialect: str) -> None:
    assert match(target) == (template, dialect)


@pytest.mark.parametrize(
    "target",
    [
        "/v1/chat/completions/",
        "//v1/chat/completions",
        "/v1//chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat/completion%73",
        "/V1/chat/completions",
        "/v1/models/ns%2Fmodel",
        "/v1/models/a/b",
        "/v1/models/",
        "/openai/deployments//chat/completions",
        "",
        "*",
        "http://host/v1/chat/completions",
        "/api/chat\udcff",
    ],
)
def test_other_paths_are_other(target: str) -> None:
    assert match(target) is OTHER


def test_the_sets_are_closed() -> None:
    assert len(set(ROUTES)) == len(ROUTES)
    assert {match(route).template for route in ROUTES if "{" not in route} <= set(ROUTES)
    assert {match(route).dialect for route in ROUTES} == set(DIALECTS)


def test_a_model_can_be_named_by_the_path() -> None:
    assert model_in_path("/openai/deployments/gpt-4o/embeddings?x=1") == "gpt-4o"
    assert model_in_path("/v1/responses/resp_1") is None
    assert model_in_path("/v1/chat/completions") is None


def test_the_relays_imports_stay_light() -> None:
    """routes and headers draw in nothing that is slow to import."""
    code = (
        "import sys, proxy.wire.routes, proxy.wire.headers\n"
        "print([name for name in ('msgspec', 'orjson', 'json', 'asyncio') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
