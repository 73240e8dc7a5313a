"""/v1/responses: named and numbered events with sorted keys, the usage in the last; no [DONE]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, named_events, prompt, wishes
from proxy.standin.response_events import Events, Frame, function, message, number, reasoning
from proxy.standin.script import Ask

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.model import Model


async def responses(call: Call) -> None:
    """POST /v1/responses."""
    asked = await wishes.read(call, "openai.ResponsesRequest")
    name = str(asked.get("model") or "")
    turns = _turns(asked)
    tools = prompt.as_functions(wishes.tools_of(asked))
    think = wishes.effort(asked, old=call.old)
    model = wishes.chatting_model(call, name, tools=tools, think=think)
    ask = Ask(
        prompt=prompt.render(turns, tools=tools, old=call.old),
        prompt_tokens=prompt.tokens(model, turns, tools=tools, old=call.old),
        think=think, tools=tools, answers_tool=bool(turns) and turns[-1].get("role") == "tool",
        max_tokens=wishes.whole(asked.get("max_output_tokens")),
    )  # fmt: skip
    if asked.get("stream"):
        await named_events.stream(call, model, ask, Events(Frame(asked, name), old=call.old))
    else:
        await _plain(call, model, ask, Frame(asked, name))


def _turns(asked: dict[str, Any]) -> list[dict[str, Any]]:
    turns: list[dict[str, Any]] = []
    if asked.get("instructions"):
        turns.append({"role": "system", "content": asked["instructions"]})
    given = asked.get("input")
    if isinstance(given, str):
        return [*turns, {"role": "user", "content": given}]
    for item in given if isinstance(given, list) else []:
        if not isinstance(item, dict):
            continue
        kind = item.get("type", "message")
        if kind == "message":
            turns.append({"role": item.get("role", "user"), "content": item.get("content")})
        elif kind == "function_call":
            function = {"name": item.get("name", ""), "arguments": item.get("arguments", "")}
            turns.append({"role": "assistant", "content": "", "tool_calls": [{"function": function}]})
        elif kind == "function_call_output":
            turns.append({"role": "tool", "content": item.get("output", "")})
    return turns


async def _plain(call: Call, model: Model, ask: Ask, frame: Frame) -> None:
    steps, end = await named_events.gather(call, model, ask)
    output: list[dict[str, Any]] = []
    if thinking := "".join(step.thinking for step in steps):
        output.append(reasoning(f"rs_{number()}", thinking))
    calls = [tool for step in steps for tool in step.calls]
    if calls:
        output += [function(f"fc_{number()}_{at}", tool, "completed", tool.arguments_json)
                   for at, tool in enumerate(calls)]  # fmt: skip
    else:
        output.append(message(f"msg_{number()}", "".join(step.content for step in steps)))
    body = gojson.dump(frame.response("completed", output, end)) + b"\n"
    await call.reply(body, content_type="application/json")
