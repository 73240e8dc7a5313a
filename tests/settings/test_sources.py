"""File, environment, command line: what was said, and where."""

from __future__ import annotations

import pytest

from proxy.settings.sources import Said, from_command_line, from_environment, from_file, merge


@pytest.fixture
def read(tmp_path):
    """Text of a file -> (what it says: dotted path -> value, its mistakes as text)."""

    def read(text):
        file = tmp_path / "s.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        statements, mistakes = from_file(file, asked_by="--config")
        short = [str(mistake).replace(str(tmp_path) + "/", "") for mistake in mistakes]
        return {".".join(s.path): s.value for s in statements if s.value != {}}, short

    return read


def test_a_file_says_values_with_their_lines(tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text("port: 1\n\nlimits:\n  idle_s: 2.5\n")

    statements, mistakes = from_file(file, asked_by="--config")

    assert mistakes == []
    assert [
        Said(("port",), 1, f"{file}:1"),
        Said(("limits",), {}, f"{file}:3"),
        Said(("limits", "idle_s"), 2.5, f"{file}:4"),
    ] == statements


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff# with a byte order mark\n"])
def test_an_empty_file_says_nothing(read, text):
    assert read(text) == ({}, [])


def test_a_section_whose_lines_are_all_comments_says_nothing(read):
    assert read("limits:\n  #idle_s: 3\n") == ({"limits": None}, [])


def test_shared_parts_of_yaml_work_and_own_lines_win(read):
    text = "upstreams:\n  a: &a {url: http://a, kind: ollama}\n  b:\n    <<: *a\n    url: http://b\n"

    said, mistakes = read(text)

    assert mistakes == []
    assert (said["upstreams.b.url"], said["upstreams.b.kind"]) == ("http://b", "ollama")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: [", "config: expected YAML, came a syntax error (expected the node content"),
        ("port: 1\n  x: 2", "(from s.yaml:2)"),
        ("limits:\n\tidle_s: 3", "config: expected spaces to indent, came a tab (from s.yaml:2)"),
        ("[1, 2]", "config: expected settings, as `name: value` lines, came something else (from s.yaml:1)"),
        ("hello", "config: expected settings, as `name: value` lines"),
        ("port: 1\nhost: x\nport: 2", "port: expected each name once, came a second (from s.yaml:3): the first is in"),
        ("limits: {idle_s: 1, idle_s: 2}", "limits.idle_s: expected each name once"),
        ("limits: 5", "limits: expected settings, each on its own line below, indented, came 5 (from s.yaml:1)"),
        ("upstreams: [a]", "upstreams: expected names, each with its settings below, indented, came a list"),
        (
            'upstreams:\n  3: {url: "http://a"}',
            "upstreams.3: expected a name, came 3 (from s.yaml:2): put it in quotes",
        ),
        ("prot: 1", "prot: expected the name of a setting, came 'prot' (from s.yaml:1): did you mean port?"),
        ("port: !!python/object:os.x 1", "config: expected YAML, came a syntax error (could not determine"),
        ("port: \x01", "config: expected YAML, came a control character"),
        (b"port: \xff", "config: expected text in UTF-8, came other bytes"),
        ("a: 1\n---\nb: 2", "config: expected YAML, came a syntax error (but found another document"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_where(read, text, mistake):
    _, mistakes = read(text)

    assert len(mistakes) == 1
    assert mistake in mistakes[0]


def test_a_file_that_holds_itself_comes_to_an_end(read):
    assert read("limits: &l\n  <<: *l") == ({}, [])
    assert (read("a: &a\n  b: *a")[0], len(read("a: &a\n  b: *a")[1])) == ({}, 1)


def test_files_that_are_not_there_or_no_files_are_told(tmp_path):
    missing = from_file(tmp_path / "nope.yaml", asked_by="SIGHTGLASS_CONFIG")[1]
    folder = from_file(tmp_path, asked_by="--config")[1]

    assert "config: expected a file that exists" in str(missing[0])
    assert "(from SIGHTGLASS_CONFIG)" in str(missing[0])
    assert "is a directory" in str(folder[0])


def environment(**variables):
    statements, mistakes = from_environment({f"SIGHTGLASS_{name}": text for name, text in variables.items()})
    return {".".join(s.path): s.value for s in statements if s.value != {}}, [str(m) for m in mistakes]


def test_variables_say_settings_at_any_depth():
    said, mistakes = environment(
        PORT=" 1 ",
        LIMITS__CONNECT_S="2",
        UPSTREAMS__LITELLM__URL="http://a",
        UPSTREAMS__LITELLM__MODELS="gpt-*, claude-*",
        ALLOWED_HOSTS='["a", "b"]',
        JOURNAL='{"fsync": true}',
    )

    assert mistakes == []
    assert said == {
        "port": "1",
        "limits.connect_s": "2",
        "upstreams.litellm.url": "http://a",
        "upstreams.litellm.models": ["gpt-*", "claude-*"],
        "allowed_hosts": ["a", "b"],
        "journal.fsync": True,
    }


def test_empty_variables_and_those_of_others_say_nothing():
    assert environment(PORT="", DATA="  ", CONFIG="x", INTERNAL_RELAY="3") == ({}, [])
    assert from_environment({"PORT": "1", "SIGHTGLAS_PORT": "2"}) == ([], [])


def test_what_kubernetes_sets_for_a_service_called_sightglass_is_left_alone():
    assert environment(
        PORT="tcp://10.0.0.7:11435",
        SERVICE_HOST="10.0.0.7",
        SERVICE_PORT="11435",
        SERVICE_PORT_HTTP="11435",
        PORT_11435_TCP="tcp://10.0.0.7:11435",
        PORT_11435_TCP_ADDR="10.0.0.7",
        CONSOLE_PORT="tcp://10.0.0.7:11436",
    ) == ({}, [])


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("PRT", "did you mean port?"),
        ("LIMITS__CONECT_S", "did you mean limits.connect_s?"),
        ("LIMITS_CONNECT_S", "did you mean SIGHTGLASS_LIMITS__CONNECT_S, with two underscores?"),
        ("UPSTREAMS__A__TOKEN", "did you mean upstreams.a.key_env"),
        ("PORT__X", "did you mean port?"),
        ("_PORT", "did you mean port?"),
        ("", "config show"),
    ],
)
def test_unknown_variables_are_mistakes_that_do_not_tell_the_value(variable, hint):
    _, mistakes = environment(**{variable: "sk-canary"})

    assert len(mistakes) == 1
    assert hint in mistakes[0]
    assert f"(from SIGHTGLASS_{variable})" in mistakes[0]
    assert "canary" not in mistakes[0]


def test_options_not_given_say_nothing():
    said = from_command_line({"port": "1", "console_port": None, "limits.idle_s": 3})

    assert [Said(("port",), "1", "--port"), Said(("limits", "idle_s"), 3, "--limits-idle-s")] == said


def test_later_sources_win_value_by_value():
    values, origins = merge(
        [
            Said(("limits", "idle_s"), 1, "f:1"),
            Said(("limits", "connect_s"), 2, "f:2"),
            Said(("limits", "idle_s"), 3, "V"),
        ]
    )

    assert values == {"limits": {"idle_s": 3, "connect_s": 2}}
    assert (origins["limits", "idle_s"], origins["limits", "connect_s"]) == ("V", "f:2")


def test_an_empty_section_takes_nothing_back():
    values, _ = merge([Said(("limits", "idle_s"), 1, "f"), Said(("limits",), None, "V")])

    assert values == {"limits": {"idle_s": 1}}


def test_a_variable_reaches_a_name_that_it_cannot_spell():
    values, _ = merge(
        [
            Said(("prices", "Qwen3:0.6b", "input_usd_per_mtok"), 1, "f"),
            Said(("prices", "qwen3_0_6b", "input_usd_per_mtok"), 2, "V"),
            Said(("prices", "other", "input_usd_per_mtok"), 3, "V"),
        ]
    )

    assert values["prices"] == {"Qwen3:0.6b": {"input_usd_per_mtok": 2}, "other": {"input_usd_per_mtok": 3}}
