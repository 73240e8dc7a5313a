"""Upstreams as the relay gets them."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from proxy.core.config import Config, Limits, Price
from proxy.core.config import Upstream as Named
from proxy.core.upstreams import ResolvedUpstream, from_processes, to_processes

OLLAMA = ResolvedUpstream(
    name="default", scheme="http", host="127.0.0.1", port=11434, connect_s=5, first_byte_s=600, between_bytes_s=300
)


def test_what_is_handed_to_processes_arrives_whole():
    config = Config(
        limits=Limits(connect_s=0.5),
        upstreams={"b": Named(url="http://b", models=("*",)), "a": Named(url="http://a")},
        prices={"qwen3:*": Price(input_usd_per_mtok=0.1)},
    )
    upstreams = (msgspec.structs.replace(OLLAMA, name="b", key="sk-1", models=("*",)), OLLAMA)

    handed = from_processes(to_processes(config, upstreams))

    assert (config, upstreams) == handed
    assert list(handed[0].upstreams) == ["b", "a"]


def test_something_else_is_not_taken_for_settings():
    with pytest.raises(msgspec.MsgspecError):
        from_processes(b'{"config": {"port": "x"}, "upstreams": []}')


def test_a_key_is_in_no_text_of_an_upstream():
    upstream = msgspec.structs.replace(OLLAMA, key="sk-canary")

    texts = [repr(upstream), str(upstream), f"{upstream}", repr([upstream]), str(upstream.__rich_repr__())]

    assert not [text for text in texts if "canary" in text]
    assert "key=hidden" in repr(upstream)


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url"),
    [
        ("http", "127.0.0.1", 11434, "http://127.0.0.1:11434"),
        ("http", "box", 80, "http://box"),
        ("https", "box", 443, "https://box"),
        ("https", "::1", 80, "https://[::1]:80"),
    ],
)
def test_an_address_reads_as_it_is_written(scheme, host, port, url):
    assert url == msgspec.structs.replace(OLLAMA, scheme=scheme, host=host, port=port).url


def test_idle_connections_are_kept_by_kind_unless_set():
    unset, own = OLLAMA, msgspec.structs.replace(OLLAMA, keep_idle_s=9.0)

    assert [unset.idle_s(), unset.idle_s("ollama"), unset.idle_s("litellm")] == [4.0, 60.0, 4.0]
    assert own.idle_s("ollama") == 9.0


def test_children_that_unpack_the_settings_import_neither_pydantic_nor_yaml():
    code = "import sys, proxy.core.upstreams; print([m for m in ('pydantic', 'yaml') if m in sys.modules])"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
