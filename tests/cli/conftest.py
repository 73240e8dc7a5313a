"""A clean place to run commands in, and servers that answer what a test says."""

from __future__ import annotations

import http.server
import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from proxy.cli import main
from proxy.settings import loading


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No settings file and no SIGHTGLASS_ variable lies about."""
    import os

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "DEFAULT_FILES", (Path("sightglass.yaml"),))
    for variable in list(os.environ):
        if variable.startswith("SIGHTGLASS_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def sightglass():
    """Runs a command in this process: sightglass("config", "show") -> result."""
    return lambda *arguments, **more: CliRunner().invoke(main, arguments, **more)


@pytest.fixture
def launched(monkeypatch):
    """What was handed to the supervisor, which is not started."""
    import proxy.supervisor

    calls = []

    def launch(config, upstreams, **more):
        calls.append({"config": config, "upstreams": upstreams, **more})

    monkeypatch.setattr(proxy.supervisor, "launch", launch)
    return calls


@pytest.fixture
def answering():
    """Starts a server: answering({"/api/version": {"version": "1"}}) -> its port. Other paths are 404."""
    servers = []

    def answering(answers):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = answers.get(self.path)
                status, answer = found if isinstance(found, tuple) else (200 if found is not None else 404, found)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                asked.append((self.path, self.headers.get("Authorization")))

            def log_message(self, *_):
                pass

        asked = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.asked = asked
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server.server_address[1]

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def free_port():
    """A port that nobody listens at."""
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
