"""Types and ranges."""

from __future__ import annotations

import pytest

from proxy.core.config import Config, Journal, Limits, Log, Upstream
from proxy.settings.validation import to_config


def mistakes_of(values):
    return [str(mistake) for mistake in to_config(values, {})[1]]


def test_nothing_said_gives_the_defaults():
    assert (Config(), [], set()) == to_config({}, {})


def test_values_said_as_text_become_what_they_are():
    config, mistakes, _ = to_config(
        {
            "port": "1",
            "limits": {"connect_s": "0.5", "body_bytes": "1_000"},
            "journal": {"fsync": "yes"},
            "log": {"level": "DEBUG"},
            "upstreams": {"a": {"url": "http://a", "models": ["*"], "connect_s": None}},
        },
        {},
    )

    assert mistakes == []
    assert (
        Config(
            port=1,
            limits=Limits(connect_s=0.5, body_bytes=1000),
            journal=Journal(fsync=True),
            log=Log(level="debug"),
            upstreams={"a": Upstream(url="http://a", models=("*",))},
        )
        == config
    )


@pytest.mark.parametrize(
    ("values", "mistake"),
    [
        ({"port": "abc"}, "port: expected a whole number from 0 to 65535, came 'abc'"),
        ({"port": 65536}, "came 65536"),
        ({"port": -1}, "came -1"),
        ({"port": 1.5}, "came 1.5"),
        ({"port": 10**40}, "port: expected a whole number"),
        ({"workers": True}, "workers: expected a whole number from 1 to 64, came true"),
        ({"limits": {"idle_s": 0}}, "limits.idle_s: expected a number greater than 0, came 0"),
        ({"limits": {"idle_s": float("inf")}}, "came inf"),
        ({"limits": {"idle_s": float("nan")}}, "came nan"),
        ({"limits": {"idle_s": None}}, "came nothing"),
        ({"limits": {"nope": 1}}, "limits.nope: expected the name of a setting"),
        ({"limits": 3}, "limits: expected settings"),
        ({"journal": {"max_bytes": "64MB"}}, "write all digits"),
        ({"journal": {"fsync": "maybe"}}, "journal.fsync: expected true or false, came 'maybe'"),
        ({"log": {"level": "INFOO"}}, "log.level: expected debug, info, warning or error, came 'INFOO'"),
        ({"data": 5}, "data: expected text, came 5: put it in quotes"),
        ({"upstreams": {"a": {}}}, "upstreams.a.url: expected an address such as http://127.0.0.1:11434, came nothing"),
        ({"upstreams": {"a": {"url": "http://a", "models": "x"}}}, "upstreams.a.models: expected a list of texts"),
        ({"upstreams": {"a": {"url": "http://a", "models": [1, 2]}}}, "came 1: put it in quotes"),
        ({"upstreams": {"a": 5}}, "upstreams.a: expected settings"),
        ({"prices": {"q:1.5b": {"input_usd_per_mtok": -1}}}, 'prices["q:1.5b"].input_usd_per_mtok: expected a number'),
    ],
)
def test_a_wrong_value_is_told_once_in_the_schemas_words(values, mistake):
    mistakes = mistakes_of(values)

    assert len(mistakes) == 1
    assert mistake in mistakes[0]


def test_a_key_in_the_place_of_its_variables_name_is_not_told():
    for name in ("key_env", "key_file"):
        (mistake,) = mistakes_of({"upstreams": {"a": {"url": "http://a", name: 48151623}}})

        assert "48151623" not in mistake


def test_all_are_told_with_their_origins_and_right_ones_are_kept():
    values = {"port": "x", "workers": 0, "host": "here", "limits": {"idle_s": -1, "connect_s": 2}}

    config, mistakes, wrong = to_config(values, {("port",): "--port", ("limits",): "f:3"})

    assert [mistake.path for mistake in mistakes] == ["port", "workers", "limits.idle_s"]
    assert [mistake.origin for mistake in mistakes] == ["--port", "", "f:3"]
    assert {("port",), ("workers",), ("limits", "idle_s")} == wrong
    assert Config(host="here", limits=Limits(connect_s=2)) == config


def test_neighbours_of_what_is_missing_are_still_looked_at():
    config, _, wrong = to_config({"upstreams": {"a": {"key_env": "K"}}}, {})

    assert {("upstreams", "a", "url")} == wrong
    assert config.upstreams["a"].key_env == "K"
