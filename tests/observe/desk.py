"""Chat calls as the observer reads them, without journal and ledger: what was asked, what was answered, by whom."""

from __future__ import annotations

import itertools
from typing import Any

import orjson

from proxy.core.call import CallRecord
from proxy.core.exchange import Ending, Exchange, Finished
from proxy.observe.attribution import Attribution
from proxy.observe.guards import Guards
from proxy.observe.reading import read_call
from proxy.wire.answers import request_object

Message = dict[str, Any]


def user(text: Any) -> Message:
    return {"role": "user", "content": text}


def said(text: str | None, *calls: Message) -> Message:
    """A message of the model."""
    return {"role": "assistant", "content": text, **({"tool_calls": list(calls)} if calls else {})}


def calling(name: str, arguments: Any, call_id: str = "call_1") -> Message:
    """A call of a tool."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


def gave(text: str, call_id: str = "call_1") -> Message:
    """The result of a tool."""
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def tool(name: str = "weather", **properties: Any) -> Message:
    """A tool on offer."""
    parameters = {"type": "object", "properties": properties or {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


class Desk:
    """Attribution, and calls to it one second after the other."""

    def __init__(self, *, fail: str = "", baggage: bool = False) -> None:
        self.guards = Guards(fail)
        self.attribution = Attribution(self.guards, b"key", baggage=baggage)
        self.now_s = 1_000_000.0
        self._ids = map("{:032x}".format, itertools.count(1))

    def call(
        self,
        messages: Any,
        answer: Message | None = None,
        *,
        client: str = "10.0.0.1",
        head: bytes = b"",
        call_id: str | None = None,
        ending: Ending = "complete",
        answered_with: Message | None = None,
        **body: Any,
    ) -> CallRecord:
        """One call of chat, 0.5 s long. answer None: an error of the upstream."""
        self.now_s += 1
        failed = answer is None
        choice = {"index": 0, "message": answer, "finish_reason": "stop", **(answered_with or {})}
        answered = {"error": {"message": "busy"}} if failed else {"id": "chatcmpl-1", "choices": [choice]}
        finished = Finished(
            call_id=call_id or next(self._ids),
            request_id="r",
            started_unix_ns=int(self.now_s * 1e9),
            method="POST",
            target="/v1/chat/completions",
            client=client,
            ending=ending,
            status=503 if failed else 200,
            upstream_status=503 if failed else 200,
            duration_s=0.5,
        )
        exchange = Exchange(
            finished=finished,
            request_head=head,
            request_body=orjson.dumps({"model": "m", "messages": messages, **body}),
            answer_head=b"Content-Type: application/json\r\n",
            answer_body=orjson.dumps(answered),
        )
        return self.take(exchange)

    def take(self, exchange: Exchange) -> CallRecord:
        """Any exchange."""
        request = request_object(exchange)
        record, meaning = read_call(exchange, request)
        return self.attribution.attributed(record, meaning, exchange.request_head, request)
