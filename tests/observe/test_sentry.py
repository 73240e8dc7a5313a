"""Errors at a receiver that speaks Sentry's protocol: what and where, never content or who."""

from __future__ import annotations

import gzip
import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import pytest

from proxy.core.config import Sentry
from proxy.observe.guards import Guards
from proxy.observe.log.trouble import sentry_handler
from proxy.observe.sentry import SentryHandler


class Receiver:
    """Takes envelopes."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.paths: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(self.headers["Content-Encoding"], bytes)
                body = unpack(body)
                outer.raw.append(body)
                outer.paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def dsn(self) -> str:
        return f"http://publickey@127.0.0.1:{self.server.server_address[1]}/42"

    def events(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 30
        while len(self.raw) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return [json.loads(body.split(b"\n")[2]) for body in self.raw]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger("sightglass.observer")
    yield found
    for handler in [handler for handler in found.handlers if isinstance(handler, SentryHandler)]:
        found.removeHandler(handler)
        handler.close()


def test_a_fault_is_told_without_content(receiver: Receiver, logger: logging.Logger) -> None:
    handler = sentry_handler(Sentry(dsn=receiver.dsn, environment="lab"), {})
    assert handler is not None
    logger.addHandler(handler)
    prompt = "canary-prompt"
    try:
        try:
            raise KeyError(prompt)
        except KeyError as error:
            raise ValueError(f"no JSON: {prompt}") from error
    except ValueError as error:
        Guards().note("reading", error, call_id="canary-call")
    handler.close()
    (event,) = receiver.events(1)

    assert receiver.paths == ["/api/42/envelope/"]
    assert [one["type"] for one in event["exception"]["values"]] == ["KeyError", "ValueError"]
    assert event["exception"]["values"][1]["stacktrace"]["frames"][-1]["function"].startswith("test_a_fault")
    assert (event["message"], event["level"], event["tags"]) == ("part_failed", "error", {"part": "reading"})
    assert (event["environment"], event["release"].partition("@")[0]) == ("lab", "sightglass")
    told = receiver.raw[0]
    assert b"canary" not in told
    assert not [name for name in ("user", "request", "extra", "modules", "server_name") if event.get(name)]
    assert not any("vars" in frame for one in event["exception"]["values"] for frame in one["stacktrace"]["frames"])


def test_warnings_and_others_are_not_told(receiver: Receiver, logger: logging.Logger) -> None:
    handler = sentry_handler(Sentry(), {"SENTRY_DSN": receiver.dsn})
    assert handler is not None
    logger.addHandler(handler)
    logger.warning("ledger_away")
    handler.handle(logging.makeLogRecord({"name": "aiohttp", "levelno": 40, "levelname": "ERROR", "msg": "x"}))
    logger.error("sending_impossible", extra={"what": "spans"})
    handler.close()

    assert [event["message"] for event in receiver.events(1)] == ["sending_impossible"]


def test_without_a_dsn_there_is_none() -> None:
    assert sentry_handler(Sentry(), {}) is None


def test_what_is_no_dsn_is_said(caplog: pytest.LogCaptureFixture) -> None:
    assert sentry_handler(Sentry(dsn="nonsense"), {}) is None
    assert [record.message for record in caplog.records] == ["sentry_unusable"]


def test_a_missing_extra_is_said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "proxy.observe.sentry", None)
    assert sentry_handler(Sentry(dsn="http://k@127.0.0.1:1/1"), {}) is None
    assert [record.message for record in caplog.records] == ["sentry_missing"]
