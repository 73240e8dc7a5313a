"""`sightglass config show`."""

from __future__ import annotations

import json

from proxy.cli.config import plain


def test_each_value_is_shown_with_its_origin_in_columns(sightglass, tmp_path):
    (tmp_path / "sightglass.yaml").write_text("workers: 2\n")

    result = sightglass("config", "show", "--port", "5", env={"SIGHTGLASS_DATA": "here"})

    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "# settings file: sightglass.yaml"
    words = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines[1:]}
    assert words["workers"] == ["2", "file sightglass.yaml:1"]
    assert words["port"] == ["5", "command line --port"]
    assert words["data"] == ["here", "environment SIGHTGLASS_DATA"]
    assert words["limits.connect_s"] == ["5.0", "default"]
    assert len({line.index(" default") for line in lines if line.endswith(" default")}) == 1


def test_json_has_the_same(sightglass):
    result = sightglass("config", "show", "--json", "--port", "5")

    shown = json.loads(result.output)
    assert shown["port"] == {"value": 5, "origin": "command line --port"}
    assert shown["upstreams"] == {"value": {}, "origin": "default"}


def test_keys_are_not_shown(sightglass):
    env = {
        "SIGHTGLASS_UPSTREAMS__A__URL": "http://a",
        "SIGHTGLASS_UPSTREAMS__A__MODELS": "x*,y",
        "SIGHTGLASS_UPSTREAMS__A__KEY_ENV": "A_KEY",
        "A_KEY": "sk-canary",
    }

    for more in ([], ["--json"]):
        result = sightglass("config", "show", *more, env=env)

        assert result.exit_code == 0
        assert "A_KEY" in result.output
        assert "canary" not in result.output


def test_mistakes_are_told_with_status_2(sightglass):
    result = sightglass("config", "show", "--workers", "x")

    assert result.exit_code == 2
    assert "workers: expected a whole number" in result.stderr


def test_values_read_as_in_the_file():
    shown = [plain(value) for value in (None, True, ("a", "b"), (), {}, {"x": 1}, 5.0, "text")]

    assert shown == ["-", "true", "a, b", "-", "-", "x", "5.0", "text"]
