"""Meaning: what the bytes of one call say. The value that the readers of this folder make. No I/O here."""

from __future__ import annotations

from typing import Literal

import msgspec

from proxy.core.outcomes import TokensSource
from proxy.core.usage import TokenCounts
from proxy.wire.litellm import LiteLLM
from proxy.wire.routes import Dialect

# Why an answer, or a part of it, could not be read.
Unread = Literal[
    "cut",  # the journal kept only its begin and end
    "coding",  # a Content-Encoding that we cannot unpack
    "bound",  # a line or an unpacked body longer than we look at
    "damaged",  # compressed bytes that do not unpack
    "no_json",  # JSON was due, something else came
]


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool, as the answer asks for it."""

    id: str | None  # not unique: Ollama's are 8 characters, LiteLLM repeats indexes
    name: str | None
    arguments: str  # the JSON text as sent; native Ollama sends an object, which is written out here
    arguments_valid: bool | None  # the text is one JSON value; None = a custom tool's: any text will do


class WireError(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says went wrong."""

    message: str | None
    type: str | None = None  # the upstream's own word, as sent
    code: str | None = None  # LiteLLM: the status as a string


class Durations(msgspec.Struct, frozen=True, kw_only=True):
    """Ollama's own times in nanoseconds. Fields that are zero are not on the wire, so None may be 0."""

    total_ns: int | None = None  # since the request came: queue and load included
    load_ns: int | None = None
    prompt_eval_ns: int | None = None
    eval_ns: int | None = None


class Logprobs(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of the log probabilities of the answer's tokens."""

    count: int
    mean: float  # natural logarithm


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Where something was first seen in a stream."""

    event: int  # index of the SSE event or NDJSON line
    end: int  # offset in the (unpacked) body right behind that event


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """One call as its bytes tell it. Text fields are empty where nothing was said, other fields None where unknown."""

    dialect: Dialect
    model_asked: str | None = None
    stream_asked: bool | None = None  # None = the request did not say
    stream_due: bool | None = None  # said, or the dialect's custom; None = the request could not be read
    model: str | None = None  # that answered
    response_id: str | None = None  # Ollama's collide (0..998): never a key
    streamed: bool = False  # the answer came as events or lines
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    done: bool = False  # an end mark was seen: [DONE], response.completed, message_stop, "done":true
    tokens: TokenCounts = TokenCounts()
    tokens_source: TokensSource = "missing"
    reported_cost_usd: float | None = None  # LiteLLM's usage.cost
    litellm: LiteLLM | None = None  # its own account, in the head; None = no LiteLLM answered
    service_tier: str | None = None
    system_fingerprint: str | None = None
    error: WireError | None = None
    logprobs: Logprobs | None = None
    durations: Durations | None = None
    first_token: Mark | None = None  # of any kind; streams only
    first_answer_token: Mark | None = None  # any kind but reasoning; streams only
    token_offsets: tuple[int, ...] = ()  # `end` of each event that holds a token, in order
    events: int = 0  # seen, up to the end mark
    unreadable_events: int = 0  # of these, no JSON object
    unread: Unread | None = None
