"""Spans of calls, from frames as a relay writes them: ids, times, status, and attributes by table."""

from __future__ import annotations

import json
from array import array
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from proxy.core.config import Price
from proxy.core.event import Event
from proxy.core.exchange import Attempt, Finished, Started
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal import frames
from proxy.journal.frames import Frame
from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.observed import Observed
from proxy.observe.pricing import PriceBook
from proxy.observe.reading import interrupted_call
from proxy.observe.shipper import Pace, Shipper
from proxy.observe.spans.sink import Spans
from tests.collector import values
from tests.observe.journals import ANSWER, JSON_HEAD

UPSTREAM = ResolvedUpstream(
    name="default", scheme="http", host="ollama.lan", port=11434, connect_s=1, first_byte_s=1, between_bytes_s=1
)
TRACE, PARENT, SERVER, CLIENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", "1" * 16, "2" * 16
START = 1_795_000_000_000_000_000
UNSET, ERROR = Status.STATUS_CODE_UNSET, Status.STATUS_CODE_ERROR

STREAM = (
    b'data: {"id":"c1","model":"llama3.2","system_fingerprint":"fp_ollama",'
    b'"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","model":"llama3.2","system_fingerprint":"fp_ollama",'
    b'"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c1","model":"llama3.2","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,'
    b'"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":1}}}\n\n'
    b"data: [DONE]\n\n"
)
SSE_HEAD = b"Content-Type: text/event-stream\r\n"


def observed(
    request: dict[str, Any],
    answer: bytes = ANSWER,
    *,
    answer_head: bytes = JSON_HEAD,
    request_head: bytes = JSON_HEAD,
    target: str = "/v1/chat/completions",
    **fields: Any,
) -> Observed:
    """A call as the observer has it."""
    usual: dict[str, Any] = {
        "call_id": "call-a", "request_id": "req-a", "started_unix_ns": START, "method": "POST", "target": target,
        "client": "10.0.0.9", "user_agent": "curl/8", "model": request.get("model"), "upstream": "default",
        "trace_id": TRACE, "parent_span_id": PARENT, "span_id": SERVER, "trace_flags": 1,
        "status": 200, "upstream_status": 200, "upstream_kind": "auto", "attempts": 1, "attempt_s": 0.001,
        "client_span_id": CLIENT, "sent_s": 0.002, "headers_s": 0.1, "duration_s": 0.5, "overhead_s": 0.0003,
    }  # fmt: skip
    finished = Finished(**{**usual, **fields})
    pieces = array("d", [0.101, 0.4]).tobytes() + array("I", [1, max(len(answer) - 1, 0)]).tobytes() if answer else b""
    body = msgspec.json.encode(request)
    frame = Frame(frames.FINISHED, msgspec.json.encode(finished), request_head, body, answer_head, answer, pieces)
    prices = PriceBook({"llama3.2": Price(input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)}, None)
    found = Interpreter(Guards(), prices, lambda _: None).observed(frame)
    assert found is not None
    return found


def sink(*, content_bytes: int | None = None) -> Spans:
    shipper = Shipper("spans", lambda: lambda _: "", Pace())
    shipper.finish(patience_s=0)
    return Spans(shipper, (UPSTREAM,), lambda _: None, content_bytes=content_bytes)


def spans_of(call: Observed, **options: Any) -> list[Span]:
    prepared = sink(**options).prepare(call)
    spans = list(ScopeSpans.FromString(prepared.encoded).spans)
    assert len(spans) == prepared.spans
    return spans


def pair(call: Observed, **options: Any) -> tuple[Span, Span, dict[str, Any], dict[str, Any]]:
    server, client = spans_of(call, **options)
    return server, client, values(server.attributes), values(client.attributes)


CHAT = {"model": "llama3.2", "messages": [{"role": "user", "content": "hello"}]}


def test_ids_and_times_are_those_of_the_relay():
    head = JSON_HEAD + b"tracestate: a=b\r\nTraceState: c=d\r\n"
    server, client, _, _ = pair(observed(CHAT, request_head=head))

    assert {span.trace_id.hex() for span in (server, client)} == {TRACE}
    assert (server.parent_span_id.hex(), server.span_id.hex()) == (PARENT, SERVER)
    assert (client.parent_span_id.hex(), client.span_id.hex()) == (SERVER, CLIENT)
    assert (server.kind, client.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (START, START + 500_000_000)
    assert (client.start_time_unix_nano, client.end_time_unix_nano) == (START + 1_000_000, START + 400_000_000)
    assert (server.flags, client.flags) == (0x301, 0x101)  # sampled; a parent is known, and remote or not
    assert (server.trace_state, client.trace_state) == ("a=b, c=d", "a=b, c=d")
    assert (server.name, client.name) == ("POST /v1/chat/completions", "chat llama3.2")


def test_a_trace_that_began_here_has_no_parent():
    server, _, _, _ = pair(observed(CHAT, parent_span_id=None, request_head=b"tracestate: a=b\r\n"))

    assert (server.parent_span_id, server.flags, server.trace_state) == (b"", 0x101, "")


@pytest.mark.parametrize("fields", [{"trace_flags": 0}, {"span_id": None, "client_span_id": None}])
def test_what_is_not_sampled_or_not_traced_is_not_sent(fields):
    spans = sink()
    prepared = spans.prepare(observed(CHAT, **fields))
    spans.deliver([prepared])

    assert (prepared.spans, prepared.encoded) == (0, b"")
    assert spans.shipper.dropped["shutdown"] == 0


def test_attributes_of_a_plain_chat():
    request = CHAT | {
        "temperature": 0, "top_p": 0.5, "max_tokens": 99, "seed": 7, "n": 2, "stop": ["a", "b"], "frequency_penalty": 1,
        "presence_penalty": -0.5, "top_k": 40, "response_format": {"type": "json_object"}, "user": "ada",
    }  # fmt: skip
    _, _, server, client = pair(observed(request, target="/v1/chat/completions?key=sk-secret"))

    assert server == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "client.address": "10.0.0.9",
        "user_agent.original": "curl/8",
        "sightglass.call_id": "call-a",
        "sightglass.request_id": "req-a",
        "sightglass.outcome": "ok",
        "sightglass.upstream": "default",
        "sightglass.overhead_s": 0.0003,
        "user.id": "ada",
    }
    assert client == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "llama3.2",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.top_k": 40.0,
        "gen_ai.request.max_tokens": 99,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 2,
        "gen_ai.request.stop_sequences": ["a", "b"],
        "gen_ai.request.frequency_penalty": 1.0,
        "gen_ai.request.presence_penalty": -0.5,
        "gen_ai.output.type": "json",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "llama3.2",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 5,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "server.address": "ollama.lan",
        "server.port": 11434,
        "url.full": "http://ollama.lan:11434/v1/chat/completions",
        "user.id": "ada",
        "sightglass.call_id": "call-a",
        "sightglass.upstream": "default",
        "sightglass.upstream_kind": "ollama",
        "sightglass.outcome": "ok",
        "sightglass.tokens_source": "reported",
        "sightglass.cost_usd": 30_000 / 1e9,
        "sightglass.cost_source": "local",
        "sightglass.cost_origin": "settings:llama3.2",
    }


def test_a_stream_tells_its_first_chunk_caches_and_reasoning():
    call = observed(CHAT | {"stream": True}, STREAM, answer_head=SSE_HEAD)
    _, _, _, client = pair(call)

    assert client["gen_ai.request.stream"] is True
    assert client["gen_ai.response.time_to_first_chunk"] == pytest.approx(0.1)
    assert client["gen_ai.usage.cache_read.input_tokens"] == 3
    assert client["gen_ai.usage.reasoning.output_tokens"] == 1
    assert client["gen_ai.usage.input_tokens"] == 7


def test_native_ollama_has_its_options():
    request = {"model": "m", "prompt": "x", "stream": False, "format": {"type": "object"}, "options": {
        "temperature": 0.2, "num_predict": 5, "seed": 1, "top_k": 3, "stop": "END",
    }}  # fmt: skip
    answer = (
        b'{"model":"m","response":"y","done":true,"done_reason":"stop","total_duration":5000000000,'
        b'"load_duration":2000000000,"prompt_eval_count":2,"prompt_eval_duration":1000000000,"eval_count":1,'
        b'"eval_duration":1000000000}'
    )
    _, span, _, client = pair(observed(request, answer, target="/api/generate"))

    assert span.name == "text_completion m"
    assert client["gen_ai.provider.name"] == "ollama"
    assert client["gen_ai.request.max_tokens"] == 5
    assert client["gen_ai.request.temperature"] == 0.2
    assert client["gen_ai.request.stop_sequences"] == ["END"]
    assert client["gen_ai.output.type"] == "json"
    assert (client["sightglass.load_s"], client["sightglass.queue_s"]) == (2.0, 1.0)
    assert "gen_ai.request.stream" not in client


def test_embeddings():
    request = {"model": "nomic", "input": "x", "dimensions": 256, "encoding_format": "base64", "temperature": 1}
    answer = b'{"object":"list","model":"nomic","data":[],"usage":{"prompt_tokens":4,"total_tokens":4}}'
    _, span, _, client = pair(observed(request, answer, target="/v1/embeddings"))

    assert span.name == "embeddings nomic"
    assert client["gen_ai.operation.name"] == "embeddings"
    assert client["gen_ai.embeddings.dimension.count"] == 256
    assert client["gen_ai.request.encoding_formats"] == ["base64"]
    assert client["gen_ai.usage.input_tokens"] == 4
    assert "gen_ai.request.temperature" not in client


def test_tools():
    answer = json.dumps({"id": "x", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"q":"secret"}'}},
        ]}}]}).encode()  # fmt: skip
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
    server, span, _, client = pair(observed(CHAT | {"tools": tools}, answer))

    assert client["sightglass.tool_calls"] == 1
    assert client["gen_ai.response.finish_reasons"] == ["tool_calls"]
    assert b"secret" not in span.SerializeToString() + server.SerializeToString()


def test_what_is_no_inference_is_plain_http():
    call = observed({}, b"{}", target="/v1/models", method="GET")
    server, span, _, client = pair(call)

    assert (server.name, span.name) == ("GET /v1/models", "GET")
    assert not [name for name in client if name.startswith("gen_ai.")]


def test_an_odd_method_and_path_name_no_span():
    server, client, said, _ = pair(observed({}, b"{}", target="/secret/path?x=1", method="BREW"))

    assert (server.name, client.name) == ("HTTP", "HTTP")
    assert (said["http.request.method"], said["http.request.method_original"]) == ("_OTHER", "BREW")
    assert "http.route" not in said


# status, upstream_status, ending, error_code; then SERVER's and CLIENT's status and error.type
ENDS = [
    ({"status": 404, "upstream_status": 404}, UNSET, None, ERROR, "not_found"),
    ({"status": 429, "upstream_status": 429}, UNSET, None, ERROR, "rate_limit"),
    ({"status": 500, "upstream_status": 500}, ERROR, "server_error", ERROR, "server_error"),
    (
        {"status": 502, "upstream_status": None, "ending": "upstream_failed", "error_code": "upstream_closed"},
        ERROR, "upstream_closed", ERROR, "upstream_closed",
    ),
    (
        {"status": 200, "ending": "upstream_failed", "error_code": "upstream_broke_off"},
        ERROR, "upstream_broke_off", ERROR, "upstream_broke_off",
    ),
    (
        {"status": 504, "upstream_status": None, "ending": "timeout", "error_code": "upstream_first_byte_timeout"},
        ERROR, "upstream_first_byte_timeout", ERROR, "upstream_first_byte_timeout",
    ),
    ({"status": 200, "ending": "client_left", "error_code": "client_left"}, UNSET, None, UNSET, None),
    ({"status": None, "upstream_status": None, "ending": "client_left", "error_code": "client_left"},
        UNSET, None, UNSET, None),
    ({"status": 200, "ending": "stopped", "error_code": "stopped"}, ERROR, "stopped", UNSET, None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "server_status", "server_error", "client_status", "client_error"), ENDS)
def test_status_and_error_type(fields, server_status, server_error, client_status, client_error):
    failed = fields["status"] != 200
    answer = b'{"error":{"message":"the prompt said so"}}' if failed else b""
    server, client, server_said, client_said = pair(observed(CHAT, answer, **fields))

    assert (server.status.code, server_said.get("error.type")) == (server_status, server_error)
    assert (client.status.code, client_said.get("error.type")) == (client_status, client_error)
    assert b"the prompt" not in server.SerializeToString() + client.SerializeToString()


def test_an_error_inside_a_stream_fails_both():
    stream = b'data: {"error":{"message":"out of memory","type":"api_error"}}\n\n'
    server, client, said, client_said = pair(observed(CHAT | {"stream": True}, stream, answer_head=SSE_HEAD))

    assert (server.status.code, client.status.code) == (ERROR, ERROR)
    assert said["error.type"] == client_said["error.type"]
    assert said["http.response.status_code"] == 200


def test_a_stream_without_an_end_fails():
    server, client, _, said = pair(observed(CHAT | {"stream": True}, STREAM[:160], answer_head=SSE_HEAD))

    assert (server.status.code, client.status.code) == (ERROR, ERROR)
    assert said["sightglass.outcome"] == "incomplete"


def test_repeated_attempts_are_spans_of_their_own():
    repeated = (
        Attempt(began_s=0.001, ended_s=0.01, span_id="3" * 16, error_code="upstream_closed"),
        Attempt(began_s=0.01, ended_s=0.02, span_id="4" * 16, status=400),
    )
    server, *attempts = spans_of(observed(CHAT, repeated=repeated, attempts=3, attempt_s=0.02))
    said = [values(span.attributes) for span in attempts]

    assert [span.span_id.hex() for span in attempts] == ["3" * 16, "4" * 16, CLIENT]
    assert {span.parent_span_id for span in attempts} == {server.span_id}
    assert [one.get("http.request.resend_count") for one in said] == [None, 1, 2]
    assert [one.get("error.type") for one in said] == ["upstream_closed", "400", None]
    assert [one.get("http.response.status_code") for one in said] == [None, 400, 200]
    assert [span.status.code for span in attempts] == [ERROR, ERROR, UNSET]
    assert attempts[1].start_time_unix_nano == START + 10_000_000
    assert attempts[1].end_time_unix_nano == START + 20_000_000 == attempts[2].start_time_unix_nano
    assert [one.get("gen_ai.usage.input_tokens") for one in said] == [None, None, 20]


def test_a_refused_call_has_no_client_span():
    (server,) = spans_of(
        observed(CHAT, b"", status=501, upstream_status=None, ending="refused", error_code="not_supported",
                 client_span_id=None, attempts=0, headers_s=None)
    )  # fmt: skip

    assert server.status.code == ERROR
    assert values(server.attributes)["sightglass.outcome"] == "refused"


def test_an_interrupted_call_has_a_server_span_without_length():
    started = Started(
        call_id="a", request_id="a", started_unix_ns=START, method="POST", target="/v1/chat/completions",
        trace_id=TRACE, parent_span_id=PARENT, span_id=SERVER, trace_flags=1,
    )  # fmt: skip
    (server,) = spans_of(Observed(record=interrupted_call(started), started=started))

    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (START, START)
    assert server.parent_span_id.hex() == PARENT
    assert server.status.code == ERROR
    assert values(server.attributes)["error.type"] == "interrupted"


def test_the_conversation_is_named_only_where_the_caller_names_it():
    _, _, _, silent = pair(observed(CHAT))
    _, _, _, claimed = pair(observed(CHAT, request_head=b"x-session-id: s-1\r\n"))
    _, _, _, named = pair(observed({"model": "m", "input": "x", "conversation": {"id": "conv_1"}}, b"{}",
                                   target="/v1/responses"))  # fmt: skip

    assert "gen_ai.conversation.id" not in silent
    assert claimed.get("gen_ai.conversation.id") == "s-1"
    assert named["gen_ai.conversation.id"] == "conv_1"


def test_odd_parameters_are_left_out():
    request = CHAT | {"temperature": "hot", "seed": 2**70, "n": True, "stop": [1], "top_p": None, "max_tokens": 1.5}
    _, _, _, client = pair(observed(request))

    assert not {name for name in client if name.startswith("gen_ai.request.")} - {
        "gen_ai.request.model", "gen_ai.request.stop_sequences",
    }  # fmt: skip


def test_content_is_not_told_without_opt_in():
    request = CHAT | {"messages": [{"role": "user", "content": "canary-in"}], "tools": [{"name": "canary-tool"}]}
    answer = ANSWER.replace(b"Hello", b"canary-out")
    told = b"".join(span.SerializeToString() for span in spans_of(observed(request, answer)))

    assert b"canary" not in told


def test_content_by_opt_in():
    _, _, server, client = pair(observed(CHAT), content_bytes=1000)

    assert json.loads(client["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "hello"}]}
    ]
    assert json.loads(client["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"}
    ]
    assert "sightglass.content_cut" not in client
    assert not [name for name in server if name.startswith("gen_ai.")]


def _told(details: dict[str, Any]) -> list[Span]:
    sent: list[bytes] = []
    shipper: Shipper[bytes] = Shipper("spans", lambda: lambda batch: sent.extend(batch) or "", Pace(delay_s=0.0))
    spans = Spans(shipper, (UPSTREAM,), lambda _: None)
    told = {"route": "/api/chat", "kind": "share", "subject": "share:loop", "severity": "high", "call_id": "call-a"}
    event = Event(event_id=7, at_unix_ns=START, kind="drift_raised", model="m", details=told | details)
    spans.tell(event)
    shipper.finish(patience_s=5)
    shipper.wait()
    return [span for encoded in sent for span in ScopeSpans.FromString(encoded).spans]


def test_an_alarm_is_a_span_below_the_calls_with_an_event():
    [span] = _told({"trace_id": TRACE, "span_id": SERVER})

    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.name) == (TRACE, SERVER, "drift_raised")
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (START, START)
    [event] = span.events
    assert (event.name, event.time_unix_nano) == ("drift_raised", START)
    assert values(event.attributes) == {
        "sightglass.drift.event_id": 7,
        "sightglass.drift.kind": "share",
        "sightglass.drift.subject": "share:loop",
        "sightglass.drift.severity": "high",
        "sightglass.call_id": "call-a",
        "gen_ai.request.model": "m",
        "http.route": "/api/chat",
    }


def test_an_alarm_of_a_call_whose_trace_is_not_sent_is_no_span():
    assert _told({"trace_id": TRACE}) == []
