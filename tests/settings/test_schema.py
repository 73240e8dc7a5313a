"""The schema as read off the structs."""

from __future__ import annotations

import msgspec
import pytest

from proxy.core.config import Config, Section, Upstream
from proxy.settings.schema import dotted, every_setting, setting_at, settings_of


def test_every_setting_and_every_section_says_what_it_is_for():
    silent = [dotted(path) for path, setting in every_setting() if len(setting.description) < 5]

    assert silent == []


def test_names_of_settings_have_no_double_underscore_as_variables_use_it():
    assert [path for path, _ in every_setting() if any("__" in part for part in path)] == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("upstream",), "an address such as http://127.0.0.1:11434"),
        (("port",), "a whole number from 0 to 65535"),
        (("limits", "connect_s"), "a number greater than 0"),
        (("limits", "head_bytes"), "a whole number of bytes, at least 1024"),
        (("log", "level"), "debug, info, warning or error"),
        (("journal", "fsync"), "true or false"),
        (("upstreams", "any", "models"), "a list of texts"),
        (("prices", "qwen3:0.6b", "input_usd_per_mtok"), "a number, at least 0"),
        (("data",), "text"),
    ],
)
def test_what_is_expected_is_said_in_words(path, expected):
    setting = setting_at(path)

    assert setting is not None
    assert expected == setting.expected()


@pytest.mark.parametrize("path", [("nope",), ("port", "x"), ("upstreams", "a", "nope"), ("limits", "connect_s", "x")])
def test_a_path_to_nowhere_leads_to_none(path):
    assert setting_at(path) is None


def test_defaults_and_absence_are_read_off_the_structs():
    settings = settings_of(Upstream)

    assert settings["url"].required
    assert settings["key_env"].optional
    assert settings["key_env"].default is None
    assert settings_of(Config)["upstreams"].default == {}


def test_odd_names_are_written_in_brackets():
    assert dotted(("prices", "qwen3:0.6b", "input_usd_per_mtok")) == 'prices["qwen3:0.6b"].input_usd_per_mtok'
    assert dotted(("upstreams", "my-litellm", "url")) == "upstreams.my-litellm.url"


def test_a_type_that_nobody_taught_it_is_a_loud_error():
    class Odd(Section, frozen=True, kw_only=True):
        value: set[int] = msgspec.field(default_factory=set)

    with pytest.raises(TypeError, match="teach it"):
        settings_of(Odd)
