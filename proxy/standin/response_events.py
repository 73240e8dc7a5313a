"""The objects and events of /v1/responses. Pure; responses.py lets a model speak through them."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, wishes

if TYPE_CHECKING:
    from proxy.standin.generate import End
    from proxy.standin.script import Step, ToolCall


def number() -> int:
    return random.randrange(999_999)  # noqa: S311 (as Ollama does)


def _usage(end: End) -> dict[str, Any]:
    return {
        "input_tokens": end.prompt_tokens,
        "output_tokens": end.eval_tokens,
        "total_tokens": end.prompt_tokens + end.eval_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }


class Frame:
    """The response object around the output."""

    def __init__(self, asked: dict[str, Any], name: str):
        self._asked, self._name = asked, name
        self.id, self.created = f"resp_{number()}", int(time.time())

    def response(self, status: str, output: list[dict[str, Any]], end: End | None) -> dict[str, Any]:
        """In the order of plain answers; streams sort it."""
        asked = self._asked
        return {
            "id": self.id, "object": "response", "created_at": self.created,
            "completed_at": int(time.time()) if end else None, "status": status, "incomplete_details": None,
            "model": self._name, "previous_response_id": asked.get("previous_response_id"),
            "instructions": asked.get("instructions"), "output": output, "error": None, "tools": self._tools(),
            "tool_choice": "auto", "truncation": asked.get("truncation") or "disabled", "parallel_tool_calls": True,
            "text": {"format": wishes.mapping(asked.get("text")).get("format") or {"type": "text"}},
            "top_p": asked.get("top_p", 1), "presence_penalty": 0, "frequency_penalty": 0, "top_logprobs": 0,
            "temperature": asked.get("temperature", 1), "reasoning": asked.get("reasoning"),
            "usage": _usage(end) if end else None, "max_output_tokens": asked.get("max_output_tokens"),
            "max_tool_calls": None, "store": False, "background": False, "service_tier": "default", "metadata": {},
            "safety_identifier": None, "prompt_cache_key": None,
        }  # fmt: skip

    def _tools(self) -> list[dict[str, Any]]:
        return [
            {
                "type": tool.get("type", "function"), "name": tool.get("name"), "description": tool.get("description"),
                "strict": tool.get("strict"), "parameters": tool.get("parameters"),
            }
            for tool in wishes.tools_of(self._asked)
            if isinstance(tool, dict)
        ]  # fmt: skip


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message(item_id: str, text: str) -> dict[str, Any]:
    return {
        "id": item_id, "type": "message", "status": "completed", "role": "assistant", "content": [_text_part(text)],
    }  # fmt: skip


def reasoning(item_id: str, text: str) -> dict[str, Any]:
    return {
        "id": item_id, "type": "reasoning", "summary": [{"type": "summary_text", "text": text}],
        "encrypted_content": text,
    }  # fmt: skip


def function(item_id: str, tool: ToolCall, status: str, arguments: str) -> dict[str, Any]:
    return {
        "id": item_id, "type": "function_call", "status": status, "call_id": tool.id, "name": tool.name,
        "arguments": arguments,
    }  # fmt: skip


class Events:
    """The events of one stream: which items are open, what was said in them."""

    def __init__(self, frame: Frame, *, old: bool):
        self._frame, self._old = frame, old
        self._number = 0  # sequence
        self._output: list[dict[str, Any]] = []
        self._at = 0  # output_index
        self._begun = self._message_open = self._called = False
        self._thought, self._thought_id = "", ""
        self._text, self._message_id = "", f"msg_{number()}"

    def _event(self, kind: str, **fields: Any) -> bytes:
        kind = f"response.{kind}"
        data = gojson.dump_sorted({**fields, "sequence_number": self._number, "type": kind})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _begin(self) -> list[bytes]:
        if self._begun:
            return []
        self._begun = True
        now = self._frame.response("in_progress", [], None)
        return [self._event("created", response=now), self._event("in_progress", response=now)]

    def step(self, step: Step) -> list[bytes]:
        events = self._begin()
        if step.thinking:
            events += self._think(step.thinking)
        if step.content:
            events += [*self._end_thinking(), *self._open_message()]
            self._text += step.content
            events.append(self._event("output_text.delta", delta=step.content, **self._part(), logprobs=[]))
        for at, tool in enumerate(step.calls):
            events += [*self._end_thinking(), *self._call(tool, f"fc_{number()}_{at}")]
        return events

    def _think(self, text: str) -> list[bytes]:
        events = []
        if not self._thought_id:
            self._thought_id = f"rs_{number()}"
            item = {"id": self._thought_id, "type": "reasoning", "summary": []}
            events.append(self._event("output_item.added", output_index=self._at, item=item))
        self._thought += text
        return [*events, self._event("reasoning_summary_text.delta", delta=text, **self._summary())]

    def _summary(self) -> dict[str, Any]:
        return {"item_id": self._thought_id, "output_index": self._at, "summary_index": 0}

    def _end_thinking(self) -> list[bytes]:
        if not self._thought:
            return []
        item = reasoning(self._thought_id, self._thought)
        done = self._event("reasoning_summary_text.done", text=self._thought, **self._summary())
        events = [done, self._event("output_item.done", output_index=self._at, item=item)]
        self._output.append(item)
        self._thought = ""
        self._at += 1
        return events

    def _part(self) -> dict[str, Any]:
        return {"content_index": 0, "item_id": self._message_id, "output_index": self._at}

    def _open_message(self) -> list[bytes]:
        if self._message_open:
            return []
        self._message_open = True
        item = {"id": self._message_id, "type": "message", "status": "in_progress", "role": "assistant", "content": []}
        added = self._event("output_item.added", output_index=self._at, item=item)
        return [added, self._event("content_part.added", part=_text_part(""), **self._part())]

    def _call(self, tool: ToolCall, item_id: str) -> list[bytes]:
        self._called = True
        begun, done = (
            function(item_id, tool, "in_progress", ""),
            function(item_id, tool, "completed", tool.arguments_json),
        )
        where = {"item_id": item_id, "output_index": self._at}
        events = [
            self._event("output_item.added", output_index=self._at, item=begun),
            self._event("function_call_arguments.delta", delta=tool.arguments_json, **where),
            self._event("function_call_arguments.done", arguments=tool.arguments_json, **where),
            self._event("output_item.done", output_index=self._at, item=done),
        ]
        self._output.append(done)
        if not self._old:
            self._at += 1  # counts from the message's own index: Ollama's slip, kept
        return events

    def end(self, end: End) -> list[bytes]:
        events = [*self._begin(), *self._end_thinking()]
        said = message(self._message_id, self._text)
        if not self._called:
            events += self._open_message()
            events += [
                self._event("output_text.done", text=self._text, **self._part(), logprobs=[]),
                self._event("content_part.done", part=_text_part(self._text), **self._part()),
                self._event("output_item.done", output_index=self._at, item=said),
            ]
        if not self._called or (self._text and not self._old):
            self._output.append(said)
        whole = self._frame.response("completed", self._output, end)
        return [*events, self._event("completed", response=whole)]
