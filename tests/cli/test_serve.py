"""`sightglass serve` up to the supervisor."""

from __future__ import annotations


def test_settings_of_all_sources_reach_the_supervisor(sightglass, launched, tmp_path):
    (tmp_path / "my.yaml").write_text(
        "workers: 3\nupstreams:\n  a: {url: 'http://a', models: ['x*'], key_env: A_KEY}\n"
    )

    result = sightglass(
        *("serve", "--config", "my.yaml", "--upstream", "http://box:1", "--port", "0", "--data", "d"),
        env={"SIGHTGLASS_CONSOLE_PORT": "7", "A_KEY": "sk-canary"},
    )

    assert (result.exit_code, result.output) == (0, "")
    (call,) = launched
    config, (a, default) = call["config"], call["upstreams"]
    assert (config.workers, config.port, config.console_port, config.data) == (3, 0, 7, "d")
    assert (a.name, a.key, default.url) == ("a", "sk-canary", "http://box:1")
    assert "canary" not in call["banner"]


def test_mistakes_are_printed_all_at_once_and_nothing_starts(sightglass, launched):
    result = sightglass("serve", "--port", "abc", "--upstream", "localhost:11434", env={"SIGHTGLASS_WORKERS": "0"})

    assert result.exit_code == 2
    assert launched == []
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "sightglass: 3 mistakes in the settings",
        "  port: expected a whole number from 0 to 65535, came 'abc' (from --port)",
        "  workers: expected a whole number from 1 to 64, came '0' (from SIGHTGLASS_WORKERS)",
        (
            "  upstream: expected an address such as http://127.0.0.1:11434, came 'localhost:11434' (from --upstream):"
            " it has no scheme; write http://localhost:11434"
        ),
    ]


def test_serve_never_starts_a_stand_in(sightglass, launched, free_port):
    sightglass("serve", "--upstream", f"http://127.0.0.1:{free_port}")

    assert not launched[0].get("stand_in")
