"""Doctor: upstreams."""

from __future__ import annotations

from typing import get_args

import pytest

from proxy.cli.doctor.upstreams import examine_upstreams, judge
from proxy.cli.probe import Seen, Trouble
from proxy.core.upstreams import ResolvedUpstream

OLLAMA = ResolvedUpstream(
    name="default", scheme="http", host="box", port=1, connect_s=5, first_byte_s=600, between_bytes_s=300
)
KEYED = ResolvedUpstream(
    name="far", scheme="https", host="box", port=443, key="sk-canary", kind="litellm", models=("*",), connect_s=5,
    first_byte_s=600, between_bytes_s=300,
)  # fmt: skip


@pytest.mark.parametrize("trouble", get_args(Trouble))
@pytest.mark.parametrize("upstream", [OLLAMA, KEYED])
def test_each_trouble_is_told_with_what_to_do(upstream, trouble):
    (finding,) = judge(upstream, Seen(trouble=trouble, detail="so"))

    assert finding.mark == "wrong"
    assert finding.found.startswith(upstream.url)
    assert len(finding.do) > 10
    assert "canary" not in str(finding)


@pytest.mark.parametrize(
    ("upstream", "seen", "mark", "found"),
    [
        (OLLAMA, Seen(kind="ollama", version="0.33.0", models=("a",)), "ok", "http://box:1: Ollama 0.33.0, 1 model"),
        (OLLAMA, Seen(kind="ollama", version="0.33.0", models=()), "warning", "without any model"),
        (OLLAMA, Seen(kind="openai", models=("a", "b")), "ok", "an OpenAI-style server, 2 models"),
        (OLLAMA, Seen(kind="litellm", status=401), "ok", "without a key; each client brings its own"),
        (KEYED, Seen(kind="litellm", status=401), "wrong", "to the key we have"),
        (KEYED, Seen(kind="litellm", status=500), "warning", "does not tell its models"),
        (OLLAMA, Seen(), "warning", "neither as Ollama nor as LiteLLM"),
    ],
)
def test_what_answers_is_judged(upstream, seen, mark, found):
    (finding,) = judge(upstream, seen)

    assert finding.mark == mark
    assert found in finding.found


def test_another_kind_than_set_is_a_warning():
    _, finding = judge(KEYED, Seen(kind="ollama", version="1", models=("a",)))

    assert finding.mark == "warning"
    assert "upstreams.far.kind to ollama" in finding.do


def test_each_upstream_is_looked_at(answering):
    from msgspec.structs import replace

    port = answering({"/api/version": {"version": "1"}, "/api/tags": {"models": [{"name": "a"}]}})
    here = replace(OLLAMA, host="127.0.0.1", port=port)

    findings = examine_upstreams((replace(here, name="a"), here))

    assert [(finding.about, finding.mark) for finding in findings] == [("upstream a", "ok"), ("upstream", "ok")]
