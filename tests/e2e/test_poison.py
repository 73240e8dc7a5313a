"""Poison in requests and answers, through a whole Sightglass: bytes untouched, records cleaned, neighbours whole."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CHAT = "/v1/chat/completions"
USAGE = '{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}'


def answer(content: str = '"hello"', *, model: str = '"chat"', usage: str = USAGE) -> bytes:
    """An answer as its upstream spelled it; json.dumps would not write most of these."""
    text = (
        f'{{"id":"x","object":"chat.completion","model":{model},"choices":[{{"index":0,"message":{{"role":"assistant"'
    )
    return f'{text},"content":{content}}},"finish_reason":"stop"}}],"usage":{usage}}}\n'.encode()


def counts(number: str) -> str:
    return f'{{"prompt_tokens":{number},"completion_tokens":{number},"total_tokens":{number}}}'


ANSWERS = {
    "surrogates": answer(r'"\ud800 and \udfff"', model=r'"chat\ud800"'),
    "nul": answer(r'"a\u0000b"', model=r'"ch\u0000at"'),
    "2^63": answer(usage=counts(str(2**63))),
    "-2^70": answer(usage=counts(str(-(2**70)))),
    "nan": answer(usage=counts("NaN")),
    "infinity": answer(usage=counts("1e999")),
    "no utf-8": answer().replace(b"hello", b"\xff\xfe\xc0\x80"),
    "10 MB": answer('"' + "x" * 10_000_000 + '"', model='"' + "m" * 100_000 + '"'),
}
REQUESTS = {
    "surrogates": rb'{"model":"chat\ud800","user":"\udfff","messages":[{"role":"user","content":"\ud83d"}]}',
    "nul": rb'{"model":"ch\u0000at","user":"\u0000","messages":[{"role":"user","content":"a\u0000b"}]}',
    "2^63": b'{"model":"chat","max_tokens":9223372036854775808,"messages":[{"role":"user","content":%d}]}' % 2**63,
    "nan": b'{"model":"chat","temperature":NaN,"messages":[{"role":"user","content":"a"}]}',
    "no utf-8": b'{"model":"ch\xff\xfeat","messages":[{"role":"user","content":"\xc0\x80"}]}',
    "10 MB": b'{"model":"chat","messages":[{"role":"user","content":"' + b"x" * 10_000_000 + b'"}]}',
}


class Poisonous(http.server.BaseHTTPRequestHandler):
    """Answers what the request's field X-Answer names; keeps the bytes that it was sent."""

    protocol_version = "HTTP/1.1"
    came: dict[str, bytes]

    def do_POST(self) -> None:
        self.came[self.headers["x-request-id"]] = self.rfile.read(int(self.headers["Content-Length"]))
        content = ANSWERS.get(self.headers["X-Answer"], answer())
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    Poisonous.came = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Poisonous)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, upstream: int) -> Iterator[Product]:
    """One for all: what one poison broke, the next would find broken."""
    folder = tmp_path_factory.mktemp("poison")
    env = {"SIGHTGLASS_UPSTREAM_KIND": "openai"}
    yield from running(Product(folder, env=env, upstream=f"http://127.0.0.1:{upstream}"))


def send(product: Product, request_id: str, body: bytes, answered: str = "", agent: str = "test") -> bytes:
    head = {"Content-Type": "application/json", "X-Request-Id": request_id, "X-Answer": answered, "User-Agent": agent}
    with urllib.request.urlopen(urllib.request.Request(product.url + CHAT, body, head), timeout=60) as got:
        return bytes(got.read())


def rows_of(product: Product, *request_ids: str) -> list[dict[str, object]]:
    """The records of these calls, once each."""
    while True:
        time.sleep(0.05)
        rows = [row for row in product.wait_rows(1) if row["request_id"] in request_ids]
        if len(rows) >= len(request_ids):
            assert sorted(str(row["request_id"]) for row in rows) == sorted(request_ids)
            return sorted(rows, key=lambda row: request_ids.index(str(row["request_id"])))


def neighbours_are_whole(before: dict[str, object], after: dict[str, object]) -> bool:
    return all(
        (row["model"], row["outcome"], row["prompt_tokens"], row["completion_tokens"], row["observer_errors"])
        == ("chat", "ok", 7, 3, None)
        for row in (before, after)
    )


PLAIN = b'{"model":"chat","messages":[{"role":"user","content":"hello"}]}'


@pytest.mark.parametrize("name", ANSWERS)
def test_poison_in_an_answer(product: Product, name: str) -> None:
    ids = [f"answer-{place}-{name}".replace(" ", "_") for place in ("before", "poison", "after")]
    got = [send(product, request_id, PLAIN, name if request_id == ids[1] else "") for request_id in ids]

    before, poisoned, after = rows_of(product, *ids)

    assert got == [answer(), ANSWERS[name], answer()]
    assert neighbours_are_whole(before, after)
    assert poisoned["outcome"] in ("ok", "incomplete")
    assert poisoned["response_bytes"] == len(ANSWERS[name])
    counted = (poisoned["prompt_tokens"], poisoned["completion_tokens"])
    assert counted == (
        (7, 3) if name in ("surrogates", "nul", "no utf-8") else (None, None)
    )  # 10 MB are not kept whole
    assert len(str(poisoned["model_answered"])) < 5000


@pytest.mark.parametrize("name", REQUESTS)
def test_poison_in_a_request(product: Product, name: str) -> None:
    ids = [f"request-{place}-{name}".replace(" ", "_") for place in ("before", "poison", "after")]
    for request_id in ids:
        send(product, request_id, REQUESTS[name] if request_id == ids[1] else PLAIN)

    before, poisoned, after = rows_of(product, *ids)

    assert [Poisonous.came[request_id] for request_id in ids] == [PLAIN, REQUESTS[name], PLAIN]
    assert neighbours_are_whole(before, after)
    assert (poisoned["outcome"], poisoned["prompt_tokens"], poisoned["completion_tokens"]) == ("ok", 7, 3)


def test_everything_that_tells_of_them_can_be_read(product: Product) -> None:
    """Console, metrics and log hold no byte that their readers choke on."""
    send(product, "last", PLAIN)
    rows_of(product, "last")
    for path in ("/", "/metrics", "/health", "/api/calls?last=1000"):
        with urllib.request.urlopen(product.console_url + path, timeout=60) as got:
            text = got.read().decode()
        assert "\0" not in text
        if path.startswith(("/health", "/api")):
            json.loads(text)
    for line in (product.folder / "sightglass.log").read_bytes().splitlines():
        assert b"\0" not in line.decode().encode()
    assert json.loads(text)
