"""What was asked and answered, as GenAI's content attributes. By opt-in only; bounded. Pure.

The attributes are JSON texts of messages with parts, as the conventions have them on spans. Images, audio and files are
named, never carried. Of a conversation that is too long the last messages stay, as they are what this call is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from proxy.observe.spans import names as n
from proxy.observe.spans.encoding import Attributes
from proxy.wire.meaning import Meaning

_FRAME_BYTES: Final = 64  # keys and brackets of one message
_encode: Final = msgspec.json.Encoder(enc_hook=repr).encode

Part = dict[str, Any]
Message = dict[str, Any]


def put_content(attributes: Attributes, request: dict[str, Any] | None, meaning: Meaning | None, most: int) -> None:
    """Add the content. most: longest text of one attribute, in bytes."""
    cut = False
    if request is not None:
        messages = _input_messages(request)
        if messages:
            attributes[n.INPUT_MESSAGES], cut = _bounded(messages, most)
        system = request.get("instructions", request.get("system"))
        if system:
            parts = [{"role": "system", "parts": _parts(system)}]
            text, system_cut = _bounded(parts, most)
            attributes[n.SYSTEM_INSTRUCTIONS], cut = text, cut or system_cut
        tools = request.get("tools")
        if isinstance(tools, list) and tools:
            text = _text(tools)
            if len(text) <= most:
                attributes[n.TOOL_DEFINITIONS] = text
            cut = cut or len(text) > most
    if meaning is not None:
        answer = _output_message(meaning)
        if answer["parts"]:
            text, answer_cut = _bounded([answer], most)
            attributes[n.OUTPUT_MESSAGES], cut = text, cut or answer_cut
    if cut:
        attributes[n.CONTENT_CUT] = True


def _bounded(messages: list[Message], most: int) -> tuple[str, bool]:
    """The last messages that fit, as JSON, and whether something was left out. A text that is too long is cut."""
    kept: list[Message] = []
    left, cut = most, False
    for message in reversed(messages):
        size = len(_encode(message))
        if size > left:
            cut = True
            if kept:
                break
            message = _shortened(message, left - _FRAME_BYTES)
            size = left
        kept.append(message)
        left -= size
    return _text(kept[::-1]), cut


def _shortened(message: Message, most: int) -> Message:
    """The message with its texts cut, so that its parts take no more than `most` bytes."""
    parts: list[Part] = []
    left = most
    for part in message["parts"]:
        key = "content" if "content" in part else "arguments" if "arguments" in part else "result"
        text = part.get(key)
        whole = text if isinstance(text, str) else "" if text is None else _text(text)
        room = left - len(_encode({**part, key: ""}))
        if room <= 0:
            break
        whole = _first_bytes(whole, room)
        parts.append({**part, key: whole} if text is not None else part)
        left = room - len(_encode(whole))
    return {**message, "parts": parts}


def _first_bytes(text: str, most: int) -> str:
    """As much of the text as takes no more than `most` bytes in JSON."""
    text = text[:most]
    while len(_encode(text)) - 2 > most:
        text = text[: len(text) * most // (len(_encode(text)) + 1)]
    return text


def _input_messages(request: dict[str, Any]) -> list[Message]:
    said = request.get("messages", request.get("input", request.get("prompt")))
    if isinstance(said, str):
        return [{"role": "user", "parts": [_said(said)]}]
    if not isinstance(said, list):
        return []
    return [_message(entry) for entry in said]


def _message(entry: Any) -> Message:
    if not isinstance(entry, dict):
        return {"role": "user", "parts": _parts(entry)}
    role = entry.get("role")
    if entry.get("type") == "function_call":  # Responses
        return {"role": "assistant", "parts": [_call(entry.get("call_id"), entry)]}
    if entry.get("type") == "function_call_output":
        return {"role": "tool", "parts": [_result(entry.get("call_id"), entry.get("output"))]}
    if role == "tool":
        return {"role": "tool", "parts": [_result(entry.get("tool_call_id"), entry.get("content"))]}
    parts = _parts(entry.get("content"))
    calls = entry.get("tool_calls")
    if isinstance(calls, list):
        for call in calls:
            if isinstance(call, dict) and isinstance(call.get("function"), dict):
                parts.append(_call(call.get("id"), call["function"]))
    return {"role": role if isinstance(role, str) else "user", "parts": parts}


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [_said(content)] if content else []
    return list(_each_part(content)) if isinstance(content, list) else []


def _each_part(content: list[Any]) -> Iterator[Part]:
    for piece in content:
        if isinstance(piece, str):
            yield _said(piece)
        elif isinstance(piece, dict):
            kind, text = piece.get("type"), piece.get("text")
            if isinstance(text, str):
                yield _said(text)
            elif kind == "tool_use":  # Anthropic
                yield {
                    "type": "tool_call",
                    "id": piece.get("id"),
                    "name": piece.get("name"),
                    "arguments": piece.get("input"),
                }
            elif kind == "tool_result":
                yield _result(piece.get("tool_use_id"), piece.get("content"))
            else:
                yield {"type": kind if isinstance(kind, str) else "unknown"}


def _said(text: str) -> Part:
    return {"type": "text", "content": text}


def _call(call_id: Any, function: dict[str, Any]) -> Part:
    return {"type": "tool_call", "id": call_id, "name": function.get("name"), "arguments": function.get("arguments")}


def _result(call_id: Any, result: Any) -> Part:
    return {"type": "tool_call_response", "id": call_id, "result": result}


def _output_message(meaning: Meaning) -> Message:
    parts: list[Part] = []
    if meaning.reasoning:
        parts.append({"type": "reasoning", "content": meaning.reasoning})
    if meaning.text or meaning.refusal:
        parts.append(_said(meaning.text or meaning.refusal))
    parts.extend(
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments}
        for call in meaning.tool_calls
    )
    return {"role": "assistant", "parts": parts, "finish_reason": meaning.finish_reason or "unknown"}


def _text(value: Any) -> str:
    return _encode(value).decode()
