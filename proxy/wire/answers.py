"""Request and answer of one call -> Meaning: chooses the reader by dialect, the framing by content type. Pure.

Never raises on foreign bytes. What the relay saw of the call's end is not known here: see verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from proxy.core.exchange import Exchange
from proxy.core.usage import TokenCounts
from proxy.wire import (
    anthropic_messages,
    foreign,
    ollama_chat,
    ollama_embed,
    ollama_embeddings,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from proxy.wire.body import Looked
from proxy.wire.draft import Draft, Payloads, ReadEvents, ReadRuns, ReadWhole
from proxy.wire.errors import from_plain_text, read_error, read_refusal
from proxy.wire.headers import all_values
from proxy.wire.litellm import LiteLLM, read_litellm
from proxy.wire.meaning import Logprobs, Meaning
from proxy.wire.ndjson import NdjsonReader
from proxy.wire.routes import Dialect, Route, model_in_path
from proxy.wire.sse import SseReader, read_plain
from proxy.wire.unpacking import codings_of, unpack
from proxy.wire.usage import believed


class Reader(NamedTuple):
    """How a dialect is read. `generates`: its whole answer ends with a finish reason or an end mark."""

    whole: ReadWhole
    events: ReadEvents | None
    generates: bool
    streams_unasked: bool = False  # what happens when the request does not say
    runs: ReadRuns | None = None  # a quicker way for the begin of a whole stream


READERS: Final[dict[Dialect, Reader]] = {
    "openai_chat": Reader(openai_chat.read_whole, openai_chat.read_events, True, runs=openai_chat.read_runs),
    "openai_completions": Reader(openai_completions.read_whole, openai_completions.read_events, True),
    "openai_embeddings": Reader(openai_embeddings.read_whole, None, False),
    "openai_responses": Reader(openai_responses.read_whole, openai_responses.read_events, True),
    "anthropic_messages": Reader(anthropic_messages.read_whole, anthropic_messages.read_events, True),
    "ollama_chat": Reader(ollama_chat.read_whole, ollama_chat.read_events, True, True),
    "ollama_generate": Reader(ollama_generate.read_whole, ollama_generate.read_events, True, True),
    "ollama_embed": Reader(ollama_embed.read_whole, None, False),
    "ollama_embeddings": Reader(ollama_embeddings.read_whole, None, False),
}


class Asked(msgspec.Struct, frozen=True, gc=False):
    """What the request asks for."""

    model: str | None
    stream: bool | None  # None = it does not say
    stream_due: bool | None  # said, or the dialect's custom; None = the request cannot be read


def read_meaning(
    exchange: Exchange, route: Route, looked: Looked, request: dict[str, Any] | UnsetType | None = UNSET
) -> Meaning:
    """What the call's bytes say. Only answers to POSTs have a meaning; others are passed on and timed.

    request: what `request_object` gave, when somebody asked it before.
    """
    finished = exchange.finished
    dialect: Dialect = route.dialect if finished.method == "POST" else "other"
    reader = READERS.get(dialect)
    said = request_object(exchange) if isinstance(request, UnsetType) else request
    asked = _asked(exchange, said, streams_unasked=reader is not None and reader.streams_unasked)
    draft = Draft()
    draft.unread = looked.trouble
    if finished.method == "POST" and finished.upstream_status is not None:
        _read_answer(draft, reader, looked, refused=finished.upstream_status >= 400)
    return _settle(draft, dialect, asked, read_litellm(exchange.answer_head))


def _asked(exchange: Exchange, said: dict[str, Any] | None, *, streams_unasked: bool) -> Asked:
    """What the request says; what the relay saw of it counts where the kept body cannot be read."""
    finished = exchange.finished
    if said is not None:
        model, stream = foreign.as_name(said.get("model")), foreign.as_bool(said.get("stream"))
    else:
        model, stream = None, finished.stream
    model = model or foreign.as_name(finished.model)
    readable = said is not None or model is not None
    return Asked(
        model=model or foreign.decoded_name(model_in_path(finished.target)),
        stream=stream,
        stream_due=stream if stream is not None or not readable else streams_unasked,
    )


def request_object(exchange: Exchange) -> dict[str, Any] | None:
    """The request's body, unpacked; None when it is no JSON object or was not kept whole."""
    body = exchange.request_body
    codings = codings_of(all_values(exchange.request_head, b"content-encoding"))
    if codings:  # Codex sends zstd
        body = unpack((body,), codings).body
    if exchange.finished.request_cut or not body.lstrip().startswith(b"{"):
        return None
    said = foreign.parse_json(body)
    return said if isinstance(said, dict) else None


def _read_answer(draft: Draft, reader: Reader | None, looked: Looked, *, refused: bool) -> None:
    form = looked.form()
    if form == "empty":
        return
    if form == "json":
        _read_json(draft, reader, looked, refused=refused)
    elif reader is None or reader.events is None or refused:
        _read_errors(draft, _payloads(looked, form))
    else:
        reader.events(draft, _payloads(looked, form, draft, reader.runs))


def _read_json(draft: Draft, reader: Reader | None, looked: Looked, *, refused: bool) -> None:
    said = foreign.parse_json(looked.body) if looked.gap_at is None else None
    if refused:
        if isinstance(said, list) and len(said) == 1:  # Gemini's OpenAI-style errors
            said = said[0]
        draft.fail(read_refusal(said) if isinstance(said, dict) else from_plain_text(looked.body))
    elif reader is None:
        return
    elif isinstance(said, dict):
        reader.whole(draft, said)
    elif looked.gap_at is None and reader.events is not None and b"\n" in looked.body.strip():
        reader.events(draft, _payloads(looked, "ndjson"))  # lines under another content type
    else:
        draft.unread = draft.unread or "no_json"


def _read_errors(draft: Draft, payloads: Payloads) -> None:
    """Events of a refusal: LiteLLM answers a stream that could not start with status 500 and one event."""
    for said, _, _ in draft.objects(payloads):
        draft.fail(read_error(said))


def _payloads(looked: Looked, form: str, draft: Draft | None = None, runs: ReadRuns | None = None) -> Payloads:
    """The events; without those at the begin that `runs` has read into the draft."""
    if form != "sse":
        return _ndjson(looked)
    plain = read_plain(looked.body) if looked.gap_at is None else None
    if plain is None:
        return _sse(looked)
    datas, ends = plain
    read = 0 if draft is None or runs is None else runs(draft, datas, ends)
    return zip(datas[read:], ends[read:], strict=True)


def _sse(looked: Looked) -> Iterator[tuple[bytes | None, int]]:
    reader = SseReader()
    for part, missing in looked.parts():
        if missing:
            reader.skip(missing)
        for event in reader.feed(part):
            yield event.data, event.end
    for event in reader.close():
        yield event.data, event.end


def _ndjson(looked: Looked) -> Iterator[tuple[bytes | None, int]]:
    reader = NdjsonReader()
    for part, missing in looked.parts():
        if missing:
            reader.skip(missing)
        yield from reader.feed(part)
    yield from reader.close()


def _settle(draft: Draft, dialect: Dialect, asked: Asked, litellm: LiteLLM | None) -> Meaning:
    text = foreign.clean_text("".join(draft.text))
    reasoning = foreign.clean_text("".join(draft.reasoning)) if draft.reasoning else ""
    refusal = foreign.clean_text("".join(draft.refusal)) if draft.refusal else ""
    said = bool(text or reasoning or refusal or draft.calls)
    tokens = TokenCounts()
    if draft.counts is not None:
        tokens = believed(draft.counts, answered=said or draft.answered, said=said, reasoned=bool(reasoning))
    reported = tokens.prompt is not None or tokens.completion is not None
    return Meaning(
        dialect=dialect,
        model_asked=asked.model,
        stream_asked=asked.stream,
        stream_due=asked.stream_due,
        model=draft.model,
        response_id=draft.response_id,
        streamed=draft.streamed,
        text=text,
        reasoning=reasoning,
        refusal=refusal,
        tool_calls=tuple(call.settle() for call in draft.calls),
        finish_reason=draft.finish_reason,
        done=draft.done,
        tokens=tokens,
        tokens_source="reported" if reported else "missing",
        reported_cost_usd=draft.reported_cost_usd,
        litellm=litellm,
        service_tier=draft.service_tier,
        system_fingerprint=draft.system_fingerprint,
        error=draft.error,
        logprobs=_logprobs(draft) if draft.logprob_count else None,
        durations=draft.durations,
        first_token=draft.first_token,
        first_answer_token=draft.first_answer_token,
        token_offsets=tuple(draft.token_ends),
        events=draft.events,
        unreadable_events=draft.unreadable_events,
        unread=draft.unread,
    )


def _logprobs(draft: Draft) -> Logprobs:
    return Logprobs(count=draft.logprob_count, mean=draft.logprob_sum / draft.logprob_count)
