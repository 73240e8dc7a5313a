"""Upstreams made ready for the relay."""

from __future__ import annotations

import pytest

from proxy.core.config import Config, Limits, Upstream
from proxy.settings import SettingsError, resolve_upstreams
from proxy.settings.mistakes import UnusableError
from proxy.settings.upstreams import read_key


def test_one_upstream_is_the_default_one():
    (only,) = resolve_upstreams(Config(upstream="http://box:1", upstream_kind="litellm"), {})

    assert (only.name, only.host, only.port, only.kind, only.key) == ("default", "box", 1, "litellm", None)


def test_named_ones_keep_their_order_and_default_comes_last():
    named = {name: Upstream(url=f"http://{name}", models=("*",)) for name in ("b", "default", "a")}

    resolved = resolve_upstreams(Config(upstreams=named), {})

    assert [upstream.name for upstream in resolved] == ["b", "a", "default"]
    assert resolved[-1].host == "default"


def test_own_limits_win_over_the_common_ones():
    own = Upstream(url="http://a", models=("*",), first_byte_s=1.0)

    a, default = resolve_upstreams(Config(upstreams={"a": own}, limits=Limits(connect_s=7, first_byte_s=8)), {})

    assert (a.connect_s, a.first_byte_s) == (7, 1)
    assert (default.connect_s, default.first_byte_s) == (7, 8)


def test_keys_come_from_variable_or_file(tmp_path):
    file = tmp_path / "key"
    file.write_text("sk-file\n")

    assert read_key(Upstream(url="http://a", key_env="K"), {"K": " sk-env "}) == "sk-env"
    assert read_key(Upstream(url="http://a", key_file=str(file)), {}) == "sk-file"
    assert read_key(Upstream(url="http://a"), {"K": "x"}) is None


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ({"key_env": "NOT_SET"}, "came 'NOT_SET': it is not set"),
        ({"key_env": "EMPTY_ONE"}, "came 'EMPTY_ONE': it is empty"),
        ({"key_env": "TWO_LINES"}, "characters that a header cannot carry"),
        ({"key_env": "sk-canary"}, "expected the name of an environment variable"),
        ({"key_env": "canary"}, "it is not set"),
        ({"key_env": "A", "key_file": "/b"}, "expected either key_env or key_file, came both"),
        ({"key_file": "/nope"}, "came '/nope': no such file or directory"),
        ({"key_file": "sk-canary"}, "no such file or directory"),
        ({"key_file": "sk/canary"}, "no such file or directory"),
        ({"key_file": "/"}, "is a directory"),
        ({"key_file": "a\0b"}, "NUL"),
    ],
)
def test_a_key_that_cannot_be_had_is_told_without_telling_it(key, problem):
    environ = {"EMPTY_ONE": " ", "TWO_LINES": "canary\ncanary"}

    with pytest.raises(UnusableError) as caught:
        read_key(Upstream(url="http://a", **key), environ)

    assert problem in str(caught.value)
    assert "canary" not in str(caught.value)


def test_files_of_other_bytes_are_no_keys(tmp_path):
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(UnusableError, match="does not hold text"):
        read_key(Upstream(url="http://a", key_file=str(file)), {})


def test_a_key_that_went_away_after_loading_is_an_error_of_settings():
    with pytest.raises(SettingsError, match=r"upstreams\.a: .* not set"):
        resolve_upstreams(Config(upstreams={"a": Upstream(url="http://a", key_env="GONE_KEY")}), {})
