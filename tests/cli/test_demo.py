"""`sightglass demo`, which `make run` runs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from proxy.cli.demo import first_that_chats, stand_in_command


def test_with_a_server_there_it_is_served(sightglass, launched, answering):
    tags = {"models": [{"name": "nomic-embed-text:latest"}, {"name": "qwen3:0.6b"}]}
    port = answering({"/api/version": {"version": "0.33.0"}, "/api/tags": tags})

    result = sightglass("demo", "--upstream", f"http://127.0.0.1:{port}")

    assert result.exit_code == 0
    (call,) = launched
    assert call["stand_in"] == ()
    assert call["upstreams"][-1].port == port
    assert not call["upstreams"][-1].stand_in
    assert '"model": "qwen3:0.6b"' in call["banner"]


def test_with_none_a_stand_in_takes_its_place_and_is_named(sightglass, launched, free_port):
    env = {
        "SIGHTGLASS_UPSTREAMS__DEFAULT__URL": f"http://127.0.0.1:{free_port}",
        "SIGHTGLASS_UPSTREAMS__DEFAULT__KEY_ENV": "A_KEY",
        "A_KEY": "sk-1",
    }

    result = sightglass("demo", env=env)

    assert result.exit_code == 0
    (call,) = launched
    upstream = call["upstreams"][-1]
    assert (upstream.name, upstream.host, upstream.kind, upstream.key) == ("default", "127.0.0.1", "ollama", None)
    assert upstream.stand_in
    assert upstream.port not in (free_port, 11434)
    assert call["stand_in"][-1] == str(upstream.port)
    assert f"Nothing answered at http://127.0.0.1:{free_port}" in call["banner"]


def test_somebody_else_at_the_address_is_told_instead_of_hidden(sightglass, launched):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        port = listener.getsockname()[1]
        import threading

        def answer():
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        result = sightglass("demo", "--upstream", f"http://127.0.0.1:{port}")
        thread.join()

    assert result.exit_code == 1
    assert launched == []
    assert "does not speak HTTP" in result.stderr


def test_models_that_embed_are_not_asked_to_chat():
    assert first_that_chats(("nomic-embed-text", "all-minilm", "llama3.2")) == "llama3.2"
    assert first_that_chats(("nomic-embed-text",)) is None
    assert first_that_chats(None) is None


@pytest.mark.parametrize("cwd_has_a_proxy_folder", [False, True])
def test_the_stand_ins_command_serves_wherever_it_is_started(free_port, tmp_path, cwd_has_a_proxy_folder):
    if cwd_has_a_proxy_folder:
        (tmp_path / "proxy").mkdir()
        (tmp_path / "proxy" / "__init__.py").write_text("raise SystemExit('not ours')")

    with subprocess.Popen(stand_in_command(free_port), stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/v1/models", timeout=5) as answer:
                        models = [model["id"].removesuffix(":latest") for model in json.load(answer)["data"]]
                    break
                except OSError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)

    assert "chat" in models
