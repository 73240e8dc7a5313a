"""What looks like a secret is struck out of kept text; what people need to read stays."""

from __future__ import annotations

import pytest

from proxy.wire.striking import STRUCK, strike


@pytest.mark.parametrize(
    ("text", "struck"),
    [
        ("key sk-proj-abcdefgh12345678 is wrong", f"key {STRUCK} is wrong"),
        ("Authorization: Bearer abcdefgh.ijkl", f"Authorization: {STRUCK}"),
        ("http://user:pa55@host/x", f"http://{STRUCK}host/x"),
        ("agent/1.0 (ghp_0123456789abcdefABCDEF0123456789abcd)", f"agent/1.0 ({STRUCK})"),
        ("token 0123456789abcdef0123456789abcdef", f"token {STRUCK}"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", STRUCK),
    ],
)
def test_secrets_go(text: str, struck: str) -> None:
    assert strike(text) == struck


@pytest.mark.parametrize(
    "text",
    [
        "OpenAI/Python 1.109.1",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
        "model 'meta-llama-3-2-11b-vision-instruct-fp16' not found, try pulling it first",
        "model hf.co/unsloth/Qwen3-0.6B-GGUF:Q4_K_M does not support tools",
        "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "langchain-google-genai/2.1.0 sglang/0.4 sk/1 basic auth required",
        "an internationalizationandlocalization",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert strike(text) == text
