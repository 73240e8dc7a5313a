"""What no type can say."""

from __future__ import annotations

import pytest

from proxy.core.config import Config, Journal, Price, Upstream
from proxy.settings.checks import check


def found(config, environ=None, said=()):
    return [
        f"{'.'.join(f.path)}: expected {f.expected}, came {f.came}: {f.hint}"
        for f in check(config, environ or {}, set(said))
    ]


def test_the_defaults_are_right():
    assert found(Config()) == []


@pytest.mark.parametrize(
    "config",
    [
        Config(port=0, console_port=0),
        Config(host="::1", console_host="localhost"),
        Config(host="0.0.0.0", console_host="box", allow_public_bind=True),
        Config(upstream="http://10.0.0.1:11435"),
        Config(upstreams={"default": Upstream(url="http://a")}),
        Config(upstreams={"a": Upstream(url="http://a", models=("*",))}),
        Config(allowed_hosts=("*.example.com", "box", "10.0.0.1", "::1")),
        Config(data="/nowhere/yet"),
        Config(prices={"a": Price(input_usd_per_mtok=1.0), "b": Price(input_usd_per_mtok=0, output_usd_per_mtok=1.0)}),
        Config(prices={"a": Price(gpu_second_usd=1.0), "b": Price(watts=300, usd_per_kwh=0.3, shadow_model="gpt-4o")}),
        Config(prices={"*": Price(shadow_model="gpt-4o")}),
    ],
)
def test_what_works_is_let_pass(config):
    assert found(config) == []


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        (Config(upstream="localhost:11434"), "upstream: expected an address"),
        (Config(upstream="http://localhost:11435"), "upstream: expected the address of another server"),
        (Config(upstream="http://127.0.0.1:11436"), "that is Sightglass itself"),
        (Config(upstream="http://127.0.0.1:5", port=5, host="0.0.0.0", allow_public_bind=True), "Sightglass itself"),
        (Config(port=5, console_port=5), "console_port: expected another port than that of clients (5), came 5"),
        (Config(host="[::1]"), "write it without brackets: ::1"),
        (Config(host=""), "host: expected an address such as 127.0.0.1 or ::1, or a name, came ''"),
        (Config(allowed_hosts=("http://box",)), "allowed_hosts: expected names of hosts, came 'http://box': write"),
        (Config(data=""), "data: expected a directory, came nothing"),
        (Config(data=__file__), "which is a file"),
        (Config(data="a\0b"), "data: expected a directory"),
        (
            Config(journal=Journal(segment_bytes=8192, max_bytes=8192)),
            "journal.max_bytes: expected at least two segments",
        ),
        (Config(upstreams={"a b": Upstream(url="http://a", models=("*",))}), "it stands in logs and metrics"),
        (Config(upstreams={"a": Upstream(url="http://a")}), "upstreams.a.models: expected patterns of the models"),
        (Config(upstreams={"a": Upstream(url="http://a", models=("x", ""))}), "came an empty one"),
        (Config(upstreams={"a": Upstream(url="a", models=("*",))}), "upstreams.a.url: expected an address"),
        (Config(upstreams={"a": Upstream(url="http://a", models=("*",), key_env="NO_K")}), "upstreams.a.key_env: "),
        (Config(upstreams={"a": Upstream(url="http://a", models=("*",), key_file="/no")}), "upstreams.a.key_file: "),
        (Config(prices={"a": Price()}), "prices.a: expected input_usd_per_mtok, gpu_second_usd, watts with"),
        (Config(prices={"a": Price(output_usd_per_mtok=1.0)}), "prices.a.input_usd_per_mtok: expected a price of"),
        (
            Config(prices={"a": Price(watts=300)}),
            "prices.a.usd_per_kwh: expected both watts and usd_per_kwh, came watts",
        ),
        (Config(prices={"a": Price(usd_per_kwh=0.3)}), "prices.a.watts: expected both watts and usd_per_kwh"),
        (Config(prices={"a": Price(input_usd_per_mtok=0, gpu_second_usd=1)}), "prices.a: expected one way of pricing"),
        (Config(prices={"a": Price(shadow_model="")}), "prices.a.shadow_model: expected a model of litellm's"),
    ],
)
def test_what_does_not_work_is_told(config, wrong):
    said = found(config)

    assert len(said) == 1
    assert wrong in said[0]


def test_an_upstream_said_twice_is_told():
    config = Config(upstream="http://a", upstreams={"default": Upstream(url="http://b")})

    assert found(config) == []
    assert "keep one" in found(config, said=[("upstream",)])[0]
