"""What Ollama's lists say, as recorded from real servers, and that nothing in them does harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.observe.upstreams.answers import (
    MODELS_MOST,
    Shown,
    full_name,
    read_ps,
    read_show,
    read_tags,
    read_version,
    unix_s,
)
from tests.wire.recordings import load

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMED = st.dictionaries(
    st.sampled_from(["name", "digest", "details", "size", "modified_at", "expires_at", "size_vram", "context_length"]),
    ANY_JSON,
)


@pytest.mark.parametrize("server", ["ollama-0.33", "ollama-0.24"])
def test_real_lists(server: str) -> None:
    installed = read_tags(load(f"{server}/native-tags").answer_body)
    loaded = read_ps(load(f"{server}/native-ps").answer_body)
    shown = read_show(load(f"{server}/native-show").answer_body)

    assert installed is not None
    assert loaded is not None
    think = installed["think:latest"]
    assert (think.parameter_size, think.quantization, think.family) == ("491K", "unknown", "llama")
    assert len(think.digest or "") == 64
    assert think.modified_unix_s == pytest.approx(1795219401 if server.endswith("33") else 1795219562, abs=1)
    assert think.context_length == (4096 if server.endswith("33") else None)
    assert all(model.context == 4096 and model.vram_bytes == 0 for model in loaded.values())
    assert all(model.digest == installed[name].digest for name, model in loaded.items() if name in installed)
    assert shown is not None
    assert (shown.context_length, shown.quantization, len(shown.template_hash or "")) == (4096, "unknown", 16)
    assert read_version(load(f"{server}/native-version").answer_body) == {"ollama-0.33": "0.33.0-rc2"}.get(
        server, "0.24.0"
    )


def test_no_models_is_not_no_list() -> None:
    assert read_tags(b'{"models":[]}') == {}
    assert read_tags(b'{"models":null}') is read_tags(b"<html>") is read_tags(b"[]") is read_ps(b"") is None
    assert read_show(b"{}") is read_show(b'{"template":7}') is None
    assert read_show(b'{"template":""}') == Shown(template_hash="e3b0c44298fc1c14")


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("Llama3.2:1B", "llama3.2:1b"),
        ("library/llama3.2", "llama3.2:latest"),
        ("registry.ollama.ai/library/llama3.2:1b", "llama3.2:1b"),
        ("hf.co/a/b-GGUF", "hf.co/a/b-gguf:latest"),
        ("localhost:5000/x/y", "localhost:5000/x/y:latest"),
    ],
)
def test_names_are_as_ollama_lists_them(asked: str, listed: str) -> None:
    assert full_name(asked) == listed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T00:17:57.034492373Z", 1795220277.034492),
        ("2026-11-21T00:17:57-07:00", 1795245477.0),
        ("2026-11-21T00:17:57.1Z", 1795220277.1),
        ("12026-11-21T00:17:57Z", None),
        ("soon", None),
        (7, None),
    ],
)
def test_times(text: object, expected: float | None) -> None:
    assert unix_s(text) == expected


def test_a_list_is_read_up_to_a_bound() -> None:
    many = json.dumps({"models": [{"name": f"m{number}", "digest": "x" * 10_000} for number in range(2000)]}).encode()

    found = read_tags(many)

    assert found is not None
    assert len(found) == MODELS_MOST
    assert max(len(model.digest or "") for model in found.values()) == 80


@settings(max_examples=150, deadline=None)
@given(st.one_of(ANY_JSON, st.fixed_dictionaries({"models": st.lists(st.one_of(NAMED, ANY_JSON), max_size=4)}), NAMED))
def test_foreign_json_is_harmless(value: object) -> None:
    body = json.dumps(value).encode()

    for read in (read_tags, read_ps, read_show, read_version):
        read(body)


@settings(max_examples=50, deadline=None)
@given(st.binary())
def test_foreign_bytes_are_harmless(body: bytes) -> None:
    for read in (read_tags, read_ps, read_show, read_version):
        read(body)
