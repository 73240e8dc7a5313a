"""What the observer spends on a call: journal -> record -> ledger -> metrics and log, in this process, CPU time only.

Run: `python -m bench.observing [--batch 50] [--calls 3000] [--export spans] [--drift] [--profile plain]`. The journal,
the ledger and the sinks are real; the watcher knows no upstream. `--drift` adds signals, score and the drift detector,
as a product has them by default. `--export` adds OTLP, over http to a receiver of its own: `spans` alone, or `all`
(spans, GenAI metrics, log); the threads that encode and send count, too. A call in each row of the table:

    plain      a 1 KB chat answer, few header fields
    sdk        the same from the openai SDK, whose requests carry sixteen fields
    stream     200 events
    tools      an agent's turn: eight messages, six tools with schemas on offer, the answer calls one
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import gc
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench import canned
from bench.parsing import stream
from proxy.core.config import Config, Otel
from proxy.core.exchange import Finished, Started
from proxy.core.otel import telemetry_of
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal import frames
from proxy.journal.segments import journal_directory
from proxy.journal.writer import JournalWriter
from proxy.observe.attribution import Attribution
from proxy.observe.call_log import CallLog
from proxy.observe.exports import Exports
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.log.outputs import LogOutputs, otlp_output
from proxy.observe.metrics import Metrics
from proxy.observe.pipeline import Pipeline
from proxy.observe.price_file import installed_price_file
from proxy.observe.pricing import PriceBook
from proxy.observe.sinks import Sink
from proxy.observe.state import ObserverState
from proxy.observe.upstreams.watcher import Watcher
from proxy.observer_app import GC_THRESHOLD, open_drift
from proxy.store import open_ledger

_JSON_HEAD: Final = b"Content-Type: application/json\r\nDate: Sat, 21 Nov 2026 00:03:56 GMT\r\nContent-Length: 1024\r\n"
_SDK_HEAD: Final = (
    b"Host: localhost:11435\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
    b"Accept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 3.3.1\r\n"
    b"X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 3.3.1\r\nX-Stainless-OS: Linux\r\n"
    b"X-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\n"
    b"X-Stainless-Async: false\r\nx-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
    b"Content-Length: 170\r\n"
)


UPSTREAM: Final = ResolvedUpstream(
    name="default", scheme="http", host="127.0.0.1", port=11434, connect_s=1, first_byte_s=1, between_bytes_s=1
)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of one call's finished frame."""

    request_head: bytes
    request_body: bytes
    answer_head: bytes = _JSON_HEAD
    answer_body: bytes = canned.PLAIN_BODY
    pieces: tuple[tuple[float, int], ...] = ((0.01, 1024),)


def samples() -> dict[str, Sample]:
    """The rows of the table."""
    head, _, body = canned.plain_request(11435).partition(b"\r\n\r\n")
    fields = head.partition(b"\r\n")[2] + b"\r\n"
    streamed = stream(200)
    return {
        "plain": Sample(request_head=fields, request_body=body),
        "sdk": Sample(request_head=_SDK_HEAD, request_body=body),
        "stream": Sample(
            request_head=_SDK_HEAD,
            request_body=streamed.request_body,
            answer_head=streamed.answer_head,
            answer_body=streamed.answer_body,
            pieces=tuple(streamed.pieces),
        ),
        "tools": Sample(request_head=_SDK_HEAD, request_body=_agents_turn(), answer_body=_calling()),
    }


def _agents_turn() -> bytes:
    properties = {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}, "days": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    tools = [
        {"type": "function", "function": {"name": f"tool_{number}", "description": "x" * 200, "parameters": schema}}
        for number in range(6)
    ]
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You are an agent. " * 40}]
    for number in range(4):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "tool_1", "arguments": '{"city":"Rome"}'}}
        messages += [{"role": "user", "content": f"And then? {number}"}, {"role": "assistant", "tool_calls": [call]}]
        messages += [{"role": "tool", "tool_call_id": f"c{number}", "content": "sunny " * 30}]
    return json.dumps({"model": canned.MODEL, "messages": messages, "tools": tools}).encode()


def _calling() -> bytes:
    call = {"id": "call_9", "type": "function", "function": {"name": "tool_2", "arguments": '{"city":"Oslo"}'}}
    choice = {"index": 0, "message": {"role": "assistant", "tool_calls": [call]}, "finish_reason": "tool_calls"}
    usage = {"prompt_tokens": 900, "completion_tokens": 20, "total_tokens": 920}
    said = {"id": "chatcmpl-9", "model": canned.MODEL, "system_fingerprint": "fp_ollama", "choices": [choice]}
    return json.dumps({**said, "usage": usage}).encode()


class Desk:
    """One observer over a journal of its own."""

    def __init__(self, folder: Path, *, export: str = "off", endpoint: str | None = None, drift: bool = False) -> None:
        """endpoint: of the receiver, where something is exported."""
        everything = export == "all"
        otel = Otel(endpoint=endpoint, metrics=everything, logs=everything)
        config, guards = Config(data=str(folder), otel=otel), Guards("")
        telemetry = telemetry_of(otel, {})
        os.environ["OTEL_BSP_SCHEDULE_DELAY"] = os.environ["OTEL_BLRP_SCHEDULE_DELAY"] = "10"
        self.flags = 1 if export != "off" else 0
        self.writer = JournalWriter(journal_directory(folder), worker=0, settings=config.journal)
        self._numbers = 0
        self._ledger = open_ledger(folder)
        watcher = Watcher((), every_s=10.0)
        self._silence = os.open(os.devnull, os.O_WRONLY)
        self._outputs = LogOutputs(config.log, fd=self._silence, otlp=otlp_output(telemetry.logs))
        self._exports = Exports(telemetry, otel, (UPSTREAM,), watcher.kind, guards)
        metrics = Metrics(("default",))
        self._drift = open_drift(config, guards, metrics, self._exports) if drift else None
        sinks: tuple[Sink, ...] = (metrics, CallLog(config.log, self._outputs), *self._exports.sinks)
        if self._drift is not None:
            self._drift.recall(self._ledger)
            sinks = (*sinks, self._drift)
        interpreter = Interpreter(
            guards,
            PriceBook(config.prices, installed_price_file()),
            watcher.kind,
            watcher=watcher,
            attribution=Attribution(guards, b"key"),
            signalling=self._drift,
        )
        self.pipeline = Pipeline(journal_directory(folder), self._ledger, interpreter, sinks, guards, _state())

    def write(self, sample: Sample, calls: int) -> None:
        """So many calls into the journal, as a relay would."""
        times = array("d", [time for time, _ in sample.pieces]).tobytes()
        pieces = times + array("I", [size for _, size in sample.pieces]).tobytes()
        for _ in range(calls):
            self._numbers += 1
            call_id = f"{self._numbers:032x}"
            known: dict[str, Any] = {"call_id": call_id, "request_id": f"r{call_id}", "started_unix_ns": time.time_ns()}
            known |= {"method": "POST", "target": "/v1/chat/completions", "client": "127.0.0.1", "upstream": "default"}
            known |= {"model": canned.MODEL, "user_agent": "sightglass-bench/1"}
            if self.flags:
                known |= {"trace_id": call_id, "span_id": call_id[16:], "trace_flags": self.flags}
            finished = Finished(
                **known,
                status=200,
                upstream_kind="ollama",
                upstream_status=200,
                attempts=1,
                attempt_s=0.0001,
                client_span_id="f" * 16 if self.flags else None,
                sent_s=0.001,
                headers_s=0.01,
                duration_s=0.011,
                overhead_s=0.0002,
                request_bytes=len(sample.request_body),
                response_bytes=len(sample.answer_body),
            )
            self._append(frames.STARTED, call_id, Started(**known))
            self._append(
                frames.FINISHED,
                call_id,
                finished,
                request_head=sample.request_head,
                request_body=sample.request_body,
                answer_head=sample.answer_head,
                answer_body=sample.answer_body,
                pieces=pieces,
            )

    def _append(self, kind: int, call_id: str, meta: Started, **sections: bytes) -> None:
        buffers = frames.encode(kind, msgspec.json.encode(meta), self.writer.salt, **sections)
        self.writer.append([(kind, call_id, buffers)])

    def observe(self) -> None:
        """All that the journal holds, as the observer's thread does."""
        more = True
        while more:
            more = self.pipeline.turn()
            if self._drift is not None:
                if settled := self._drift.settled():
                    self._ledger.keep_references(settled)
                self._drift.turn(self._ledger, busy=more)

    def settle(self) -> None:
        """Wait until what goes out has gone."""
        while self._exports.waiting or self._outputs.waiting:
            time.sleep(0.002)

    def close(self) -> None:
        """Let go of all files."""
        self.pipeline.close()
        self._ledger.close()
        self._exports.close()
        self._outputs.close()
        self.writer.close()
        os.close(self._silence)


def _state() -> ObserverState:
    return ObserverState()


def cost_us(desk: Desk, sample: Sample, *, batch: int, calls: int, profile: cProfile.Profile | None = None) -> float:
    """CPU of the observing thread and of those that send, per call in microseconds.

    Of the tenth of the batches that was least disturbed.
    """
    took: list[float] = []
    for _ in range(max(calls // batch, 3)):
        desk.write(sample, batch)
        if profile is not None:
            profile.enable()
        began = time.process_time_ns()
        desk.observe()
        desk.settle()
        took.append((time.process_time_ns() - began) / 1000 / batch)
        if profile is not None:
            profile.disable()
    return statistics.quantiles(took, n=10)[0]


@contextlib.contextmanager
def _receiver(export: str) -> Iterator[str | None]:
    """A receiver in a process of its own; None = nothing is exported."""
    if export == "off":
        yield None
        return
    command = [sys.executable, "-m", "bench.collector"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        assert process.stdin is not None
        process.stdin.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table, or a profile of the plain call."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=50, help="calls read and committed together")
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--profile", metavar="ROW", help="where the time goes in one of the rows")
    parser.add_argument("--export", choices=("off", "spans", "all"), default="off", help="by OTLP over http")
    parser.add_argument("--drift", action="store_true", help="with signals, score and drift detector")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, _receiver(options.export) as endpoint:
        desk = Desk(Path(folder), export=options.export, endpoint=endpoint, drift=options.drift)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLD)
        try:
            if options.profile:
                profile = cProfile.Profile(time.thread_time)
                cost_us(desk, samples()[options.profile], batch=options.batch, calls=options.calls, profile=profile)
                pstats.Stats(profile).sort_stats("cumtime").print_stats(45)
                return
            print(f"{'':10}{'us a call':>12}   batches of {options.batch}")
            for name, sample in samples().items():
                cost_us(desk, sample, batch=options.batch, calls=3 * options.batch)
                print(f"{name:10}{cost_us(desk, sample, batch=options.batch, calls=options.calls):12.1f}")
        finally:
            desk.close()


if __name__ == "__main__":
    main()
