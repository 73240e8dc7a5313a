"""How mistakes are told."""

from __future__ import annotations

import pytest

from proxy.settings.mistakes import Mistake, SettingsError, said, unknown


def test_a_mistake_is_one_line_with_path_expectation_value_origin_and_advice():
    mistake = Mistake(path="port", expected="a number", came="'x'", origin="--port", hint="write 1")

    assert str(mistake) == "port: expected a number, came 'x' (from --port): write 1"
    assert str(Mistake(path="port", expected="a number", came="'x'")) == "port: expected a number, came 'x'"


def test_the_error_is_all_mistakes_one_a_line():
    error = SettingsError([Mistake(path=path, expected="x", came="y") for path in "ab"])

    assert str(error) == "a: expected x, came y\nb: expected x, came y"


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("prot", "port"),
        ("limits.conect_s", "limits.connect_s"),
        ("limits.first_byte", "limits.first_byte_s"),
        ("connect_s", "limits.connect_s"),
        ("console.port", "console_port"),
        ("upstream_url", "upstream"),
        ("upstreams.litellm.api_key", "upstreams.litellm.key_env, the name of the variable that holds the key"),
        ("upstreams.litellm.model", "upstreams.litellm.models"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one(path, nearest):
    assert f"did you mean {nearest}?" == unknown(tuple(path.split(".")), "x").hint


def test_a_name_like_none_gets_the_way_to_all_names():
    assert "config show" in unknown(("zzz",), "x").hint


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ("a\nb", r"'a\nb'"),
        ([1], "a list"),
        ([], "an empty list"),
        ({}, "an empty mapping"),
        ({"a": 1}, "a mapping"),
        (7, "7"),
        ("http://me:sk-canary@host:1", "'http://***@host:1'"),
    ],
)
def test_values_are_told_as_readers_know_them(value, text):
    assert text == said(value)


def test_long_values_are_cut():
    assert len(said("x" * 1000)) == 80
