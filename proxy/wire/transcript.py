"""What a request carries beside its wishes: the messages so far, the tools on offer, what it goes on from. Pure.

All dialects become the same flat list of lines, so that nobody behind needs to know them. Never raises on foreign JSON.

dialect              messages                         tool call            its result
openai_chat          messages                         tool_calls[]         role tool, tool_call_id
ollama_chat          messages                         tool_calls[]         role tool, tool_name; newer ones an id
anthropic_messages   system + messages                tool_use block       tool_result block, tool_use_id
openai_responses     instructions + input             function_call item   function_call_output item, call_id
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec

from proxy.wire import foreign
from proxy.wire.routes import Dialect

# What a line is: the words of somebody, a tool called, or what a tool gave.
LineKind = Literal["user", "assistant", "call", "result"]
_SYSTEM: Final = ("system", "developer")  # compared, not hashed: a role may be anything


class Line(msgspec.Struct, frozen=True, gc=False):
    """One thing said in a conversation."""

    kind: LineKind
    text: str  # words, arguments of a call, or result of a tool
    name: str | None = None  # of the tool
    id: str | None = None  # of the call that is made or answered; ids collide
    failed: bool | None = None  # result: the client's own flag that the tool failed


class OfferedTool(msgspec.Struct, frozen=True, gc=False):
    """A tool that the model may call. schema: of its arguments; None = none told, or they are no JSON."""

    name: str
    schema: dict[str, Any] | None


class Transcript(msgspec.Struct, frozen=True, gc=False):
    """What was read of a request. Empty where its dialect has no such thing."""

    lines: tuple[Line, ...] = ()
    system: str = ""
    previous: str | None = None  # id of the answer that it goes on from: what was said before is not repeated
    tools: tuple[OfferedTool, ...] = ()
    tools_said: tuple[Any, ...] = ()  # the tools as sent


EMPTY: Final = Transcript()
MOST_ITEMS: Final = 10_000  # messages, parts and calls of a request; one with more is read as no conversation


class _TooManyError(Exception):
    """A request of more than MOST_ITEMS."""


class _Items:
    """Hands out the lists of one request, and stops at MOST_ITEMS of all."""

    def __init__(self) -> None:
        self._left = MOST_ITEMS

    def of(self, value: object) -> list[Any]:
        """The items of a list, none of anything else. Raises _TooManyError."""
        items = foreign.as_list(value)
        self._left -= len(items)
        if self._left < 0:
            raise _TooManyError
        return items


def read_transcript(said: dict[str, Any], dialect: Dialect) -> Transcript:
    """The transcript of a request's JSON object."""
    reader = _READERS.get(dialect)
    if reader is None:
        return EMPTY
    system: list[str] = []
    try:
        lines = tuple(reader(said, system, _Items()))
    except _TooManyError:
        return EMPTY
    previous = foreign.as_name(said.get("previous_response_id")) if dialect == "openai_responses" else None
    offered = _offered(said)
    return Transcript(
        lines=lines,
        system="\n".join(system),
        previous=previous,
        tools=tuple(tool for tool in map(_tool, offered) if tool is not None),
        tools_said=tuple(offered),
    )


def reads(dialect: Dialect) -> bool:
    """Whether requests of that dialect have a transcript."""
    return dialect in _READERS


# -- messages ------------------------------------------------------------------------------------------------


def _chat(said: dict[str, Any], system: list[str], items: _Items) -> Iterator[Line]:
    for message in items.of(said.get("messages")):
        message = foreign.as_object(message)
        role = message.get("role")
        content = message.get("content")
        if role == "assistant":
            words = content if isinstance(content, str) else foreign.text_of(content)
            yield Line("assistant", words + foreign.as_text(message.get("refusal")))
            yield from _called(message, items)
        elif role in ("tool", "function"):
            name = message.get("tool_name") or message.get("name")
            yield _result(foreign.text_of(content), name, message.get("tool_call_id"))
        elif role in _SYSTEM:
            system.append(foreign.text_of(content))
        else:
            words = content if isinstance(content, str) else _words(content, items)
            if "images" in message:
                words += "".join(map(foreign.as_text, items.of(message["images"])))
            yield Line("user", words)


def _called(message: dict[str, Any], items: _Items) -> Iterator[Line]:
    calls = [foreign.as_object(call) for call in items.of(message.get("tool_calls"))]
    if isinstance(message.get("function_call"), dict):  # the form before tools, 2023
        calls.append({"function": message["function_call"]})
    for call in calls:
        custom = foreign.as_object(call.get("custom"))
        function = custom or foreign.as_object(call.get("function"))
        yield _call(function.get("input" if custom else "arguments"), function.get("name"), call.get("id"))


def _messages(said: dict[str, Any], system: list[str], items: _Items) -> Iterator[Line]:
    system.append(foreign.text_of(said.get("system")))
    for message in items.of(said.get("messages")):
        message = foreign.as_object(message)
        kind: LineKind = "assistant" if message.get("role") == "assistant" else "user"
        content = message.get("content")
        if not isinstance(content, list):
            yield Line(kind, foreign.as_text(content))
            continue
        for block in items.of(content):
            block = foreign.as_object(block)
            match block.get("type"):
                case "text":
                    yield Line(kind, foreign.as_text(block.get("text")))
                case "tool_use":
                    yield _call(block.get("input"), block.get("name"), block.get("id"))
                case "tool_result":
                    failed = foreign.as_bool(block.get("is_error"))
                    yield _result(foreign.text_of(block.get("content")), None, block.get("tool_use_id"), failed=failed)
                case _ if kind == "user":
                    yield Line("user", _words([block], items))


def _responses(said: dict[str, Any], system: list[str], items: _Items) -> Iterator[Line]:
    system.append(foreign.as_text(said.get("instructions")))
    asked = said.get("input")
    if isinstance(asked, str):
        yield Line("user", asked)
        return
    for item in items.of(asked):
        item = foreign.as_object(item)
        match item.get("type"):
            case "function_call" | "custom_tool_call":
                yield _call(item.get("arguments", item.get("input")), item.get("name"), item.get("call_id"))
            case "function_call_output" | "custom_tool_call_output":
                yield _result(foreign.text_of(item.get("output")), None, item.get("call_id"))
            case "message" | None:
                content = item.get("content")
                if item.get("role") in _SYSTEM:
                    system.append(foreign.text_of(content))
                elif item.get("role") == "assistant":
                    yield Line("assistant", _spoken(content))
                else:
                    yield Line("user", _words(content, items))


def _spoken(content: object) -> str:
    """Words of an answer's item that is sent back: text or refusal."""
    if isinstance(content, str):
        return content
    parts = map(foreign.as_object, foreign.as_list(content))
    return "".join(foreign.as_text(part.get("text")) or foreign.as_text(part.get("refusal")) for part in parts)


def _words(content: object, items: _Items) -> str:
    """Text of a `content`, and what else it holds (pictures, sound) as JSON. Marks for caches are not part of it."""
    if isinstance(content, str):
        return content
    words: list[str] = []
    for part in items.of(content):
        part = foreign.as_object(part)
        text = part.get("text")
        if isinstance(text, str):
            words.append(text)
        else:
            words.append(foreign.dump_json({name: part[name] for name in part if name != "cache_control"}))
    return "".join(words)


def _call(arguments: object, name: object, call_id: object) -> Line:
    text = arguments if isinstance(arguments, str) else foreign.dump_json(arguments)
    return Line("call", text, foreign.as_name(name), foreign.as_name(call_id))


def _result(text: str, name: object, call_id: object, *, failed: bool | None = None) -> Line:
    return Line("result", text, foreign.as_name(name), foreign.as_name(call_id), failed)


# -- tools ---------------------------------------------------------------------------------------------------


def _offered(said: dict[str, Any]) -> list[Any]:
    offered = foreign.as_list(said.get("tools")) or foreign.as_list(said.get("functions"))
    return offered if len(offered) <= MOST_ITEMS else []


def _tool(said: object) -> OfferedTool | None:
    """One tool on offer. Tools that the server itself runs have a type and perhaps no name."""
    tool = foreign.as_object(said)
    inner = tool.get("function", tool.get("custom"))
    function = inner if isinstance(inner, dict) else tool
    name = foreign.as_name(function.get("name")) or foreign.as_name(tool.get("type"))
    if name is None:
        return None
    schema = function.get("parameters", function.get("input_schema"))
    return OfferedTool(name, schema if isinstance(schema, dict) else None)


_READERS: Final[dict[Dialect, Callable[[dict[str, Any], list[str], _Items], Iterator[Line]]]] = {
    "openai_chat": _chat,
    "ollama_chat": _chat,
    "anthropic_messages": _messages,
    "openai_responses": _responses,
}
