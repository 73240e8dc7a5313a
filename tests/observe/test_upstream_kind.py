"""What answered, from the settings, the wire and the probe."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.observe.upstream_kind import effective_kind

OLLAMA = {"dialect": "openai_chat", "fingerprint": "fp_ollama", "answer_head": b"Date: x\r\n", "probed": None}
NOBODY = {"dialect": "openai_chat", "fingerprint": None, "answer_head": b"Date: x\r\n", "probed": None}


@pytest.mark.parametrize(
    ("configured", "changed", "kind"),
    [
        ("auto", {}, "auto"),
        ("openai", OLLAMA, "openai"),
        ("auto", OLLAMA, "ollama"),
        ("auto", {"dialect": "ollama_chat"}, "ollama"),
        ("auto", {"probed": "ollama"}, "ollama"),
        ("auto", {"answer_head": b"x-litellm-version: 1\r\n"}, "litellm"),
        ("auto", {"answer_head": b"Date: x\r\nX-LiteLLM-Model-Id: 1\r\n"}, "litellm"),
        ("auto", {"answer_head": b"Via: x-litellm-proxy\r\n"}, "auto"),
        ("auto", {**OLLAMA, "answer_head": b"x-litellm-call-id: 1\r\n"}, "litellm"),
        ("auto", {**OLLAMA, "probed": "litellm"}, "ollama"),
    ],
)
def test_the_kind_that_prices_go_by(configured: Any, changed: dict[str, Any], kind: str) -> None:
    assert effective_kind(configured, **{**NOBODY, **changed}) == kind
