"""All of it in order."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.core.config import Config
from proxy.core.upstreams import from_processes, to_processes
from proxy.settings import SettingsError, load, loading
from proxy.settings.schema import every_setting

SHIPPED = Path(__file__).parents[2] / "config" / "sightglass.yaml"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No settings file lies about."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "DEFAULT_FILES", (Path("sightglass.yaml"), tmp_path / "etc" / "sightglass.yaml"))


def test_nothing_said_is_all_defaults():
    loaded = load(environ={}, command_line={"port": None})

    assert Config() == loaded.config
    assert loaded.file is None
    assert {"default"} == set(loaded.origins.values())


def test_each_source_wins_over_the_one_before(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("port: 1\nworkers: 1\ndata: from-file\n")

    loaded = load(
        config_file=file,
        environ={"SIGHTGLASS_PORT": "2", "SIGHTGLASS_WORKERS": "2"},
        command_line={"port": "3"},
    )

    assert (loaded.config.port, loaded.config.workers, loaded.config.data) == (3, 2, "from-file")
    origins = loaded.origins
    assert origins["port"] == "command line --port"
    assert origins["workers"] == "environment SIGHTGLASS_WORKERS"
    assert f"file {file}:3" == origins["data"]
    assert origins["host"] == "default"
    assert file == loaded.file


def test_files_are_looked_for_in_the_documented_order(tmp_path):
    for name, port in (("named", 1), ("sightglass", 2), ("etc/sightglass", 3), ("option", 4)):
        file = tmp_path / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"port: {port}")
    environ = {"SIGHTGLASS_CONFIG": "named.yaml"}

    def port(config_file=None, environ=environ):
        return load(config_file=config_file, environ=environ, command_line={}).config.port

    assert port(Path("option.yaml")) == 4
    assert port() == 1
    assert port(environ={}) == 2
    Path("sightglass.yaml").unlink()
    assert port(environ={"SIGHTGLASS_CONFIG": ""}) == 3


def test_every_setting_can_be_said_by_a_variable():
    """As numbers, texts and words: what the default is, said as text, loads as the default."""
    environ = {}
    for path, setting in every_setting():
        if setting.of is None and "<name>" not in path and setting.default not in ((), None):
            environ["SIGHTGLASS_" + "__".join(path).upper()] = str(setting.default)

    loaded = load(environ=environ, command_line={})

    assert Config() == loaded.config
    assert len(environ) == sum(origin.startswith("environment") for origin in loaded.origins.values())


def test_mistakes_of_all_sources_are_told_together(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("prot: 1\nlimits:\n  connect_s: abc\nupstreams:\n  a: {url: 'http://a', key_env: NO_KEY}\n")
    environ = {"SIGHTGLASS_LIMITS__IDLE_S": "abc", "SIGHTGLASS_WORKRS": "1"}
    command_line = {"upstream": "localhost:11434", "console_port": "11435"}

    with pytest.raises(SettingsError) as caught:
        load(config_file=file, environ=environ, command_line=command_line)

    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert lines == [
        "prot: expected the name of a setting, came 'prot' (from f.yaml:1): did you mean port?",
        "workrs: expected the name of a setting, came 'workrs' (from SIGHTGLASS_WORKRS): did you mean workers?",
        "limits.connect_s: expected a number greater than 0, came 'abc' (from f.yaml:3)",
        "limits.idle_s: expected a number greater than 0, came 'abc' (from SIGHTGLASS_LIMITS__IDLE_S)",
        (
            "upstream: expected an address such as http://127.0.0.1:11434, came 'localhost:11434' (from --upstream):"
            " it has no scheme; write http://localhost:11434"
        ),
        "console_port: expected another port than that of clients (11435), came 11435 (from --console-port)",
        (
            "upstreams.a.models: expected patterns of the models it serves, came an empty list (from f.yaml:5):"
            ' without, it gets no call; write ["*"] for all, or call the upstream `default`'
        ),
        (
            "upstreams.a.key_env: expected the name of a variable that is set, came 'NO_KEY' (from f.yaml:5):"
            " it is not set where Sightglass was started"
        ),
    ]


def test_what_only_follows_from_a_mistake_is_not_told():
    with pytest.raises(SettingsError) as caught:
        load(environ={}, command_line={"port": "x", "console_port": "11435"})  # the default port would clash

    assert [mistake.path for mistake in caught.value.mistakes] == ["port"]


def test_no_secret_is_told():
    environ = {
        "SIGHTGLASS_UPSTREAMS__A__URL": "http://u:sk-canary@h/v1",
        "SIGHTGLASS_UPSTREAMS__A__KEY_ENV": "sk-canary",
        "SIGHTGLASS_UPSTREAMS__A__API_KEY": "sk-canary",
        "SIGHTGLASS_UPSTREAMS__B": '{"key": "sk-canary"}',
        "SIGHTGLASS_UPSTREAMS__C__URL": "http://c",
        "SIGHTGLASS_UPSTREAMS__C__KEY_ENV": "C_KEY",
        "C_KEY": "sk-canary two",
    }

    with pytest.raises(SettingsError) as caught:
        load(environ=environ, command_line={})

    assert len(caught.value.mistakes) >= 6
    assert "canary" not in str(caught.value)


NAMES = st.sampled_from(sorted({part for path, _ in every_setting() for part in path} | {"a b", "key"}))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["http://a", "*", "K"])
TREES = st.recursive(LEAVES, lambda below: st.lists(below) | st.dictionaries(NAMES | st.text(), below))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tree=st.dictionaries(NAMES, TREES))
def test_whatever_a_file_says_it_loads_or_the_mistakes_are_told(tree, tmp_path):
    file = tmp_path / "any.yaml"
    file.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")

    try:
        loaded = load(config_file=file, environ={}, command_line={})
    except SettingsError:
        return
    assert from_processes(to_processes(loaded.config, ())) == (loaded.config, ())


@given(st.dictionaries(st.from_regex(r"SIGHTGLASS_(LIMITS__|UPSTREAMS__A__|)[A-Z_]{0,9}", fullmatch=True), st.text()))
def test_whatever_the_environment_says_too(environ):
    with contextlib.suppress(SettingsError):
        load(environ=environ, command_line={})


def test_home_is_where_a_shell_has_it(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")

    assert load(environ={"SIGHTGLASS_DATA": "~/x"}, command_line={}).config.data == "/home/somebody/x"


def test_values_have_the_paths_of_their_origins():
    environ = {"SIGHTGLASS_UPSTREAMS__A__URL": "http://a", "SIGHTGLASS_UPSTREAMS__A__MODELS": "*"}

    loaded = load(environ=environ, command_line={})

    assert list(loaded.origins) == list(loaded.values())
    assert loaded.values()["upstreams.a.url"] == "http://a"


def test_the_shipped_file_changes_nothing_as_it_is():
    loaded = load(config_file=SHIPPED, environ={}, command_line={})

    assert Config() == loaded.config
    assert {"default"} == set(loaded.origins.values())


def test_the_shipped_file_has_every_setting_with_its_default(tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text(re.sub(r"^( *)#(?=\w)", r"\1", SHIPPED.read_text(), flags=re.MULTILINE))

    loaded = load(config_file=file, environ={}, command_line={})

    assert Config() == loaded.config
    left = [path for path, origin in loaded.origins.items() if origin == "default"]
    assert left == []
    assert [
        path for path, _ in every_setting() if "<name>" not in path[-1] and path[-1] not in SHIPPED.read_text()
    ] == []


def test_the_examples_in_the_shipped_file_are_right(tmp_path):
    text = SHIPPED.read_text()
    examples = re.findall(r"# Example:\n((?:#   .*\n)+)", text)
    file = tmp_path / "examples.yaml"
    file.write_text(re.sub(r"^#   ", "", "".join(examples), flags=re.MULTILINE))

    loaded = load(config_file=file, environ={"LITELLM_KEY": "sk-1"}, command_line={})

    assert list(loaded.config.upstreams) == ["litellm", "default"]
    assert list(loaded.config.prices) == ["llama3.2:*"]
