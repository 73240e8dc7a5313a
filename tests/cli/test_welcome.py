"""What a person reads first."""

from __future__ import annotations

import json
import shlex

from proxy.cli.welcome import address, greeting, welcome
from proxy.core.config import Config
from proxy.settings import resolve_upstreams


def curl_of(text):
    joined = text.replace("\\\n", " ")
    return shlex.split(next(line for line in joined.splitlines() if "completions" in line and "curl" in line))


def test_the_curl_line_can_be_pasted():
    text = welcome(Config(port=5), upstream="http://box", stand_in=False, model="llama3.2:1b")

    command = curl_of(text)
    assert command[:2] == ["curl", "http://127.0.0.1:5/v1/chat/completions"]
    assert json.loads(command[command.index("-d") + 1])["model"] == "llama3.2:1b"


def test_the_python_lines_are_python():
    text = welcome(Config(), upstream="http://box", stand_in=True, model="chat")

    lines = [line.strip() for line in text.splitlines() if line.strip().startswith("client")]
    lines = [line for line in lines if "(" in line]

    assert 'base_url="http://127.0.0.1:11435/v1"' in lines[0]
    for line in lines:
        compile(line, "welcome", "exec")


def test_a_stand_in_is_said_in_plain_words_and_only_then():
    with_one = welcome(Config(), upstream="http://box:1", stand_in=True, model="chat")
    without = welcome(Config(), upstream="http://box:1", stand_in=False, model="chat")

    assert "Nothing answered at http://box:1, so a built-in STAND-IN MODEL answers" in with_one
    assert "stand-in" not in without.lower()
    assert "->  http://box:1" in without


def test_a_server_without_models_gets_the_way_to_one():
    text = welcome(Config(), upstream="http://box", stand_in=False, model=None)

    assert "ollama pull llama3.2" in text
    assert '"model": "llama3.2"' in text


def test_data_elsewhere_is_named_where_it_is_needed():
    assert "calls --data /d" in welcome(Config(data="/d"), upstream="http://box", stand_in=False, model="m")
    assert "--data" not in welcome(Config(), upstream="http://box", stand_in=False, model="m")


def test_ports_left_to_the_system_leave_places_to_fill():
    text = welcome(Config(port=0, console_port=0), upstream="http://box", stand_in=False, model="m")

    assert "{relay}/v1/chat/completions" in text
    assert "{console}/metrics" in text
    assert ":0" not in text


def test_addresses_are_such_that_this_machine_reaches():
    assert address("0.0.0.0", 5) == "http://127.0.0.1:5"
    assert address("::", 5) == "http://[::1]:5"
    assert address("10.0.0.1", 5) == "http://10.0.0.1:5"


def test_serve_says_where_it_is_and_where_calls_go():
    config = Config(upstream="http://box:1")

    assert greeting(config, resolve_upstreams(config, {})).splitlines() == [
        "sightglass: clients http://127.0.0.1:11435/v1 -> http://box:1",
        "sightglass: console http://127.0.0.1:11436, data ./sightglass-data",
    ]
