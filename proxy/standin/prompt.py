"""From a request's messages to the prompt that a model would see, and how many tokens that is. Pure.

The template is that of the recordings' models, so that the counts are theirs:
`{{ if .System }}system: ..{{ end }}{{ range .Messages }}{{ .Role }}: {{ .Content }}{{ end }}assistant=`.
"""

from __future__ import annotations

import json
from typing import Any

from proxy.standin import gojson
from proxy.standin.model import Model, count


def texts(content: Any) -> list[str]:
    """The texts of a message: one, or one a text part. Images and audio say nothing."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, list):
        return [str(part.get("text", "")) for part in content if isinstance(part, dict) and "text" in part]
    return []


def render(messages: list[Any], *, tools: list[Any], old: bool) -> str:
    """The prompt of a chat. Messages of the same role in a row are joined, the system's stands first again."""
    turns: list[tuple[str, str]] = []
    for message in messages:
        if not isinstance(message, dict):
            continue
        role = str(message.get("role", ""))
        for text in texts(message.get("content")) or [""]:
            said = text + _calls(message.get("tool_calls"))
            if turns and turns[-1][0] == role and role != "tool":
                turns[-1] = (role, f"{turns[-1][1]}\n\n{said}")
            else:
                turns.append((role, said))
    system = "\n\n".join(text for role, text in turns if role == "system")
    head = f"system: {system}\n" if system else ""
    return head + _tools(tools, old=old) + "".join(f"{role}: {text}\n" for role, text in turns) + "assistant="


def tokens(model: Model, messages: list[Any], *, tools: list[Any], old: bool) -> int:
    """How many tokens the prompt is."""
    return count(model, render(messages, tools=tools, old=old))


def _calls(calls: Any) -> str:
    said = ""
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        function = function if isinstance(function, dict) else {}
        arguments = function.get("arguments", {})
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
        said += f'<tool_call>{{"name": "{function.get("name", "")}", "arguments": {arguments}}}</tool_call>'
    return said


def _tools(tools: list[Any], *, old: bool) -> str:
    if not tools:
        return ""
    said = b"".join(map(gojson.dump, tools)).decode()
    if old:  # an older template engine printed Go's struct, without JSON's quotes and names
        return " " * round(len(said) * 222 / 356) + "tools: \n"
    return f"tools: {said}\n"


def as_functions(tools: list[Any]) -> list[Any]:
    """Tools of /v1/responses and /v1/messages in the form of /v1/chat/completions."""
    functions = []
    for tool in tools:
        if not isinstance(tool, dict) or "function" in tool:
            functions.append(tool)
            continue
        function: dict[str, Any] = {"name": tool.get("name", "")}
        if tool.get("description"):
            function["description"] = tool["description"]
        function["parameters"] = tool.get("parameters", tool.get("input_schema", {}))
        functions.append({"type": "function", "function": function})
    return functions
