"""Secrets in ten places, each in many calls; then everything that Sightglass puts out is searched for them."""

from __future__ import annotations

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

UPSTREAM_KEY = "sk-upstream-canary-Aa1Bb2Cc3Dd4"
QUERY = "sk-query-canary-Aa1Bb2Cc3Dd4"
HEADER = "sk-header-canary-Aa1Bb2Cc3Dd4"
BODY = "sk-body-canary-Aa1Bb2Cc3Dd4"
ERROR = "sk-error-canary-Aa1Bb2Cc3Dd4"
AGENT = "sk-agent-canary-Aa1Bb2Cc3Dd4"
COOKIE = "sk-cookie-canary-Aa1Bb2Cc3Dd4"
USERINFO = "sk-userinfo-canary-Aa1Bb2Cc3Dd4"
ARGUMENTS = "sk-arguments-canary-Aa1Bb2Cc3Dd4"
WRONG = "sg-wrong-canary-Aa1Bb2Cc3Dd4"


class Echoing(http.server.BaseHTTPRequestHandler):
    """An upstream that calls tools with secrets in their arguments, and repeats all that it got in its errors."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model"] == "broken":
            message = f"Wrong key {self.headers['Authorization']}, {ERROR}, {self.headers['User-Agent']}"
            self.answer(401, {"error": {"message": message, "type": "authentication_error"}})
            return
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "look", "arguments": json.dumps({"secret": ARGUMENTS})},
        }
        message_ = {"role": "assistant", "content": BODY, "tool_calls": [call]}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        choice = {"index": 0, "message": message_, "finish_reason": "tool_calls"}
        self.answer(200, {"id": "x", "object": "chat.completion", "model": "chat", "choices": [choice], "usage": usage})

    def do_GET(self) -> None:
        self.answer(404, {"error": f"nothing {self.headers['Authorization']}"})

    def answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Set-Cookie", f"session={COOKIE}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echoing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def product(tmp_path: Path, upstream: int) -> Iterator[Product]:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        f"upstreams: {{default: {{url: 'http://127.0.0.1:{upstream}', key_env: CANARY_KEY, kind: openai}}}}\n"
    )
    env = {"SIGHTGLASS_CONFIG": str(settings), "CANARY_KEY": UPSTREAM_KEY}
    yield from running(Product(tmp_path, env=env, upstream=""))  # the settings say where it is


def command(product: Product, *words: str) -> str:
    program = str(Path(sys.executable).with_name("sightglass"))
    run = subprocess.run(
        [program, *words], capture_output=True, text=True, env=product._env, cwd=product.folder, check=False
    )
    return run.stdout + run.stderr


def call(product: Product, key: str, model: str = "chat", path: str = "/v1/chat/completions") -> bytes:
    messages = [
        {"role": "user", "content": BODY},
        {"role": "assistant", "tool_calls": [{"id": "call_0", "type": "function", "function": TOOL_CALL}]},
        {"role": "tool", "tool_call_id": "call_0", "content": f"Error: {ARGUMENTS}"},
    ]
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    request = urllib.request.Request(
        f"{product.url}{path}?key={QUERY}&api_key={QUERY}",
        data=json.dumps({"model": model, "messages": messages, "tools": tools}).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "X-Secret": HEADER,
            "X-Auth-Token": HEADER,
            "User-Agent": f"agent/1.0 {AGENT}",
            "Cookie": f"session={COOKIE}",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        return bytes(error.read())


TOOL_CALL = {"name": "look", "arguments": json.dumps({"secret": ARGUMENTS})}


def raw(product: Product, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", product.port)) as sock:
        sock.sendall(request)
        sock.settimeout(10)
        answer = b""
        while piece := sock.recv(65536):
            answer += piece
    return answer


def get(product: Product, path: str) -> bytes:
    with urllib.request.urlopen(f"{product.console_url}{path}", timeout=20) as answer:
        return bytes(answer.read())


def test_no_secret_comes_out_anywhere(product: Product) -> None:
    key = command(product, "keys", "add", "canary", "--data", str(product.data)).splitlines()[0]
    time.sleep(1)
    answers = [call(product, key) for _ in range(5)]
    call(product, key, path="/other")
    refused = [call(product, key, model="broken"), call(product, WRONG)]
    refused.append(
        raw(product, f"GET http://user:{USERINFO}@127.0.0.1/v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    )
    refused.append(raw(product, f"GET /{QUERY} HTTP/1.1\r\nHost: u:{USERINFO}@localhost\r\n\r\n".encode()))
    refused.append(raw(product, f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Odd\x00: {HEADER}\r\n\r\n".encode()))
    rows = product.wait_rows(9)
    time.sleep(1)

    out = {f"refusal {n}": text for n, text in enumerate(refused)}
    for page in ("/", "/metrics", "/health", "/ready", "/api/calls?last=1000", "/api/events"):
        out[page] = get(product, page)
    settings = ["--config", str(product.folder / "settings.yaml"), "--data", str(product.data)]
    wrong = product.folder / "wrong.yaml"
    wrong.write_text(
        f"upstream: http://user:{USERINFO}@127.0.0.1:1\nupstreams: {{a: {{url: x, key: {UPSTREAM_KEY}}}}}\n"
    )
    for words in (["doctor"], ["doctor", "--json"], ["config", "show"], ["config", "show", "--json"]):
        out[" ".join(words)] = command(product, *words, *settings).encode()
        out[f"wrong {' '.join(words)}"] = command(product, *words, "--config", str(wrong)).encode()
    for words in (["calls"], ["calls", "--json"], ["events"], ["keys", "list"], ["keys", "list", "--json"], ["token"]):
        out[" ".join(words)] = command(product, *words, "--data", str(product.data)).encode()
    for pid in product.pids("all"):
        for file in ("cmdline", "environ"):
            out[f"/proc/{pid}/{file}"] = Path(f"/proc/{pid}/{file}").read_bytes()
    out |= {str(file): file.read_bytes() for file in product.data.rglob("*") if file.is_file()}
    assert product.supervisor is not None
    product.supervisor.send_signal(signal.SIGTERM)
    product.supervisor.wait(20)
    out |= {f"{file} at the end": file.read_bytes() for file in product.data.rglob("*") if file.is_file()}
    out["log"] = (product.folder / "sightglass.log").read_bytes()

    assert all(ARGUMENTS.encode() in answer for answer in answers)  # the upstream's own bytes pass unchanged
    assert len(rows) >= 9
    assert {row["key_name"] for row in rows} == {"canary", None}
    assert out["/metrics"].count(b"\n") > 50
    assert len(out["log"]) > 1000
    secrets = [key, UPSTREAM_KEY, QUERY, HEADER, BODY, ERROR, AGENT, COOKIE, USERINFO, ARGUMENTS, WRONG]
    secrets.append((product.data / "admin-token").read_text().strip())
    found = [
        (place, secret)
        for place, text in out.items()
        for secret in secrets
        if secret.encode() in text and not _allowed(place, secret)
    ]
    assert found == []


def _allowed(place: str, secret: str) -> bool:
    """The token's own file; and an upstream's error is its own to tell, but for our key."""
    return (secret.startswith("sga-") and "/admin-token" in place) or (
        place == "refusal 0" and secret in (ERROR, AGENT)
    )


def test_a_line_of_the_log_is_bounded_and_escaped(product: Product) -> None:
    raw(product, b"GET /" + b"A\x1b[31m" * 3000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    raw(product, b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x1b]0;x\x07" + b"B" * 20000 + b"\r\n\r\n")
    raw(product, b"\x00\x1b[31m" * 3000 + b"\r\n\r\n")
    product.wait_rows(1)
    time.sleep(1)
    lines = (product.folder / "sightglass.log").read_bytes().splitlines()

    assert max(map(len, lines)) < 4096
    assert not any(byte in line for line in lines for byte in (b"\x1b", b"\x07", b"\x00"))
