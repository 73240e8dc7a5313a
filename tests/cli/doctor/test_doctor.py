"""`sightglass doctor` as a whole."""

from __future__ import annotations

import json

import pytest

import proxy.cli.doctor as whole
from proxy.cli.doctor import as_text
from proxy.cli.doctor.findings import ok, warning, wrong


@pytest.fixture
def well(answering):
    """Options under which all is well."""
    port = answering({"/api/version": {"version": "0.33.0"}, "/api/tags": {"models": [{"name": "a"}]}})
    return ["--upstream", f"http://127.0.0.1:{port}", "--port", "0", "--console-port", "0"]


def test_all_well_is_status_0(sightglass, well):
    result = sightglass("doctor", *well)

    assert result.exit_code == 0
    assert "Ollama 0.33.0, 1 model" in result.output
    assert "wrong" not in result.output
    assert "\x1b" not in result.output


def test_something_wrong_is_status_1_with_what_to_do(sightglass, well, free_port):
    result = sightglass("doctor", *well, "--upstream", f"http://127.0.0.1:{free_port}")

    assert result.exit_code == 1
    assert "nothing listens there" in result.output
    assert "-> start Ollama (ollama serve)" in result.output
    assert result.output.rstrip().endswith("1 wrong.")


def test_mistakes_in_settings_are_status_2(sightglass):
    result = sightglass("doctor", "--port", "x", "--workers", "0")

    assert result.exit_code == 2
    assert "2 mistakes in the settings" in result.stderr


def test_json_has_all_of_it(sightglass, well):
    good = sightglass("doctor", "--json", *well)
    bad = sightglass("doctor", "--json", "--port", "x")

    assert json.loads(good.output)["status"] == "ok"
    assert {"mark", "about", "found", "do"} == set(json.loads(good.output)["findings"][0])
    assert bad.exit_code == 2
    assert json.loads(bad.output)["mistakes"][0]["path"] == "port"


def test_it_leaves_nothing_behind(sightglass, well, tmp_path):
    sightglass("doctor", *well)

    assert list(tmp_path.iterdir()) == []


def test_marks_are_coloured_on_a_terminal_unless_told_not_to(sightglass, well):
    assert "\x1b[" in sightglass("doctor", *well, color=True).output
    assert "\x1b[" not in sightglass("doctor", *well, color=True, env={"NO_COLOR": "1"}).output


def test_the_text_ends_with_the_sum():
    assert as_text([ok("a", "x")]).endswith("All is well.")
    assert as_text([ok("a", "x"), warning("b", "y", "do")]).endswith("1 warning.")
    assert as_text([wrong("a", "x", "do"), *[warning("b", "y", "do")] * 2]).endswith("1 wrong, 2 warnings.")


def test_it_looks_at_everything_the_issue_names():
    from proxy.core.config import Config

    abouts = {finding.about for finding in whole.examine(Config(), ())}

    assert {"port", "console port", "data", "disk", "clock", "open files", "python", "parts", "prices"} <= abouts
