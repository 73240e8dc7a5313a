"""From a request's wishes to the steps of an answer: what is said, in which tokens, and why it ends. Pure."""

from __future__ import annotations

import itertools
import json
import random
import string
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.standin import personality
from proxy.standin.model import Model, Token, words
from proxy.standin.settings import Settings

CONTEXT_TOKENS = 4096


class ToolCall(msgspec.Struct, frozen=True):
    """A whole tool call, as Ollama sends them."""

    id: str
    index: int
    name: str
    arguments: dict[str, Any]

    @property
    def arguments_json(self) -> str:
        return json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one flush of the server carries. `token` is its text for logprobs; tokens = how many it took."""

    content: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    token: str = ""
    tokens: int = 1


class Ask(msgspec.Struct, kw_only=True):
    """What a request wants of a model, whatever its dialect."""

    prompt: str
    prompt_tokens: int
    think: bool | None = None  # None = the model's default
    tools: list[Any] = []
    answers_tool: bool = False  # the last message brings a tool's result
    raw: bool = False  # no template: tags are said as text
    max_tokens: int | None = None
    stop: list[str] = []
    logprobs: bool = False
    top_logprobs: int = 0


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """The steps in order. `reason` None: the guard ended it, there is no last step."""

    steps: Iterator[Step]
    limit: int  # tokens at which it is cut
    ends: bool = True


def write(model: Model, ask: Ask, settings: Settings, fault_bytes: int | None = None) -> Script:
    """What `model` says to `ask`. fault_bytes: an answer of so many bytes instead."""
    limit = ask.max_tokens if ask.max_tokens is not None and ask.max_tokens >= 0 else CONTEXT_TOKENS
    if fault_bytes is not None:
        whole, rest = divmod(fault_bytes, 1000)
        pieces = itertools.chain(itertools.repeat("x" * 1000, whole), ["x" * rest] if rest else [])
        return Script(steps=_steps(map(Token, pieces), model, ask), limit=whole + 2)
    tokens = _tokens(model, ask, settings)
    if settings.tokens is not None:
        tokens = _stretched(tokens, settings.tokens)
        limit = max(limit, settings.tokens + 1) if ask.max_tokens is None else limit
    return Script(steps=_steps(tokens, model, ask), limit=limit, ends=model.ends)


def _tokens(model: Model, ask: Ask, settings: Settings) -> Iterator[Token]:
    if settings.text is not None:
        return map(Token, words(settings.text))
    if settings.personality:
        return map(Token, words(personality.speak(settings.personality, ask.prompt, ask.max_tokens)))
    if model.vocabulary is None and ask.tools and not ask.answers_tool:
        return iter(_invented_call(ask.tools[0]))
    return model.tokens(ask.prompt)


def _stretched(tokens: Iterator[Token], length: int) -> Iterator[Token]:
    said = list(itertools.islice(tokens, length)) or [Token(" more")]
    return itertools.islice(itertools.cycle(said), length)


def _example(about: dict[str, Any]) -> Any:
    """A value that fits a property's schema."""
    allowed = about.get("enum")
    if isinstance(allowed, list) and allowed:
        return allowed[0]
    return {"integer": 3, "number": 1.5, "boolean": True, "array": [], "object": {}}.get(
        str(about.get("type")), "Paris"
    )


def _invented_call(tool: Any) -> list[Token]:
    """A call of `tool` whose arguments fit its schema, for the models that people try first."""
    function = tool.get("function", tool) if isinstance(tool, dict) else {}
    function = function if isinstance(function, dict) else {}
    schema = function.get("parameters") or function.get("input_schema") or {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    given = {
        name: _example(about)
        for name, about in (properties if isinstance(properties, dict) else {}).items()
        if isinstance(about, dict)
    }
    return [
        Token("<tool_call>", "mark"),
        Token(json.dumps({"name": function.get("name", ""), "arguments": given}), "mark"),
        Token("</tool_call>", "call", str(function.get("name", "")), tuple(given.items())),
    ]


def _steps(tokens: Iterator[Token], model: Model, ask: Ask) -> Iterator[Step]:
    stops = [stop for stop in ask.stop if stop]
    steps = _parsed(tokens, model, ask)
    return _until(stops, steps) if stops else steps


def _parsed(tokens: Iterator[Token], model: Model, ask: Ask) -> Iterator[Step]:
    """Tokens as the server's parsers let them through. Tags stay text where no parser looks for them."""
    parse_think = "thinking" in model.capabilities and ask.think is not False and not ask.raw
    parse_tools = bool(ask.tools) and not ask.raw
    held, index = 0, 0
    for token in tokens:
        held += 1
        thinking = token.kind == "think" and parse_think
        if token.kind == "call" and parse_tools:
            call = ToolCall(new_call_id(), index, token.name, dict(token.arguments))
            yield Step(calls=(call,), token=token.text, tokens=held)
            index += 1
        elif thinking:
            yield Step(thinking=token.text, token=token.text, tokens=held)
        elif token.kind == "mark" and _swallowed(token, parse_think=parse_think, parse_tools=parse_tools):
            continue
        else:
            yield Step(content=token.text, token=token.text, tokens=held)
        held = 0


def _until(stops: list[str], steps: Iterator[Step]) -> Iterator[Step]:
    """`steps` up to the first of `stops`; what may be the beginning of one is held back until that is known."""
    held: list[Step] = []
    for step in steps:
        held.append(step)
        text = "".join(each.content for each in held)
        cut = min((at for at in map(text.find, stops) if at >= 0), default=-1)
        if cut >= 0:
            yield from _shortened(held, cut)
            return
        if not any(text.endswith(stop[:length]) for stop in stops for length in range(1, len(stop))):
            yield from held
            held.clear()
    yield from held


def _shortened(steps: list[Step], length: int) -> Iterator[Step]:
    for step in steps:
        content = step.content[:length]
        length -= len(content)
        if content or not step.content:
            yield msgspec.structs.replace(step, content=content)


def _swallowed(token: Token, *, parse_think: bool, parse_tools: bool) -> bool:
    return parse_think if "think>" in token.text else parse_tools


def new_call_id() -> str:
    """As Ollama makes them: `call_` and eight of a-z0-9."""
    return "call_" + "".join(random.choices(string.ascii_lowercase + string.digits, k=8))  # noqa: S311 (no secret)
