"""Reads /v1/chat/completions: OpenAI, Ollama of both styles, LiteLLM, vLLM. Pure.

A stream is mostly events that hold one piece of text and nothing else. Where only that piece differs they are read as a
run (see runs), 0.2 us each; else, once the first token is there, by a strict typed decoder, 0.4 us each. What that
refuses (tool calls, finish reasons, foreign types) or finds without text (usage, errors, junk) takes the general way,
2 us. A usage beside tokens is a running count (vLLM): left alone.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.errors import read_error
from proxy.wire.meaning import Mark
from proxy.wire.runs import LEAST, Run, run_at
from proxy.wire.usage import is_zero, openai_usage

# What is raised on bytes that are not in the usual form: msgspec's errors are ValueErrors; TypeError is for a line that
# was too long.
_UNUSUAL: Final = (ValueError, RecursionError, TypeError)


class _Delta(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    role: str | None = None
    content: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None


class _Choice(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    index: Literal[0] = 0
    delta: _Delta
    finish_reason: None = None
    logprobs: None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: tuple[_Choice]


# Where a run may have its string. Tries: an opener, a first token, reasoning, what is behind it, the answer, one more.
_FIELDS: Final = re.compile(rb'"(?:content|reasoning|reasoning_content)": ?("[^"\\]*(?:\\.[^"\\]*)*")')
_TRIES: Final = 6

_WORDS_ALONE: Final = frozenset({"role", "content"})  # what most messages are

_decode = msgspec.json.Decoder(_Chunk).decode


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read events of a stream into the draft. May be called again with later events."""
    draft.streamed = True
    say, think, mark = draft.text.append, draft.reasoning.append, draft.token_ends.append
    plain, answering = draft.first_token is not None, draft.first_answer_token is not None
    index = draft.events - 1
    for data, end in payloads:
        index += 1
        if plain:
            try:
                delta = _decode(data).choices[0].delta  # type: ignore[arg-type]
            except _UNUSUAL:
                plain = False  # most often what is behind the last token: each refusal costs twice a decode
            else:
                thought = delta.reasoning or delta.reasoning_content
                if thought:
                    think(thought)
                if delta.content:
                    say(delta.content)
                    mark(end)
                    if not answering:
                        answering = True
                        draft.first_answer_token = draft.first_answer_token or Mark(event=index, end=end)
                    continue
                if thought:
                    mark(end)
                    continue
        said = draft.object_of(data)
        if said is not None:
            _read_chunk(draft, said, index, end)
            plain = any(draft.text[-1:]) or any(draft.reasoning[-1:])  # words call for words
        elif draft.done:
            break
    draft.events = index + 1


def read_runs(draft: Draft, datas: list[bytes], ends: list[int]) -> int:
    """Read the first events of a stream as far as they come in runs; how many events need not be read any more."""
    place = 0
    for _ in range(_TRIES):
        if len(datas) - place < LEAST or draft.done:
            break
        run = run_at(datas, place, _FIELDS, _said) if draft.identified else None
        if run is None:
            read_events(draft, [(datas[place], ends[place])])
            place += 1
        else:
            behind = place + len(run.strings)
            _take_run(draft, run, ends[place:behind])
            place = behind
    return len(datas) if draft.done else place  # what is behind an end mark is nobody's


def _take_run(draft: Draft, run: Run, ends: list[int]) -> None:
    first = Mark(event=draft.events, end=ends[0])
    draft.first_token = draft.first_token or first
    if run.word == "text":
        draft.first_answer_token = draft.first_answer_token or first
        draft.text += run.strings
    else:
        draft.reasoning += run.strings
    draft.token_ends += ends
    draft.events += len(ends)


def _said(data: bytes, probe: str) -> str | None:
    """What a chunk says with the probe in one place: `text`, `reasoning`, or None = not one of them alone."""
    try:
        delta = _decode(data).choices[0].delta
    except _UNUSUAL:
        return None
    if [text for text in (delta.content, delta.reasoning, delta.reasoning_content) if text] != [probe]:
        return None
    return "text" if delta.content else "reasoning"


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    draft.identify(said)
    draft.fail(read_error(said))
    _read_usage(draft, said)
    for choice in foreign.as_list(said.get("choices"))[:1]:
        _read_choice(draft, foreign.as_object(choice), "message")


def _read_chunk(draft: Draft, said: dict[str, Any], index: int, end: int) -> None:
    usage = said.get("usage")
    finishes = False
    token = answer = False
    for place, choice in enumerate(foreign.as_list(said.get("choices"))):
        choice = foreign.as_object(choice)
        finishes = finishes or choice.get("finish_reason") is not None
        if foreign.as_index(choice.get("index")) == 0 and place == 0:
            spoke, reasoned = _read_choice(draft, choice, "delta")
        else:  # n > 1: timed, not told; texts side by side would make no sense
            spoke, reasoned = _read_choice(Draft(), choice, "delta")
        token = token or spoke or reasoned
        answer = answer or spoke
    if token:
        draft.token(index, end, answer=answer)
    if not draft.identified or usage is not None or finishes:
        draft.identify(said)
    if finishes or not token:
        _read_usage(draft, said)
    draft.fail(read_error(said))


def _read_choice(draft: Draft, choice: dict[str, Any], where: str) -> tuple[bool, bool]:
    """Whether it holds answer tokens, and reasoning."""
    message = foreign.as_object(choice.get(where))
    if "logprobs" in choice:
        for token in foreign.as_list(foreign.as_object(choice["logprobs"]).get("content")):
            draft.logprob(foreign.as_object(token).get("logprob"))
    draft.finish(choice.get("finish_reason"))
    if message.keys() <= _WORDS_ALONE:  # nearly always
        text = foreign.text_of(message.get("content"))
        draft.text.append(text)
        return bool(text), False
    # `reasoning` is Ollama's and OpenRouter's name; LiteLLM, vLLM and DeepSeek say `reasoning_content`.
    thought = foreign.as_text(message.get("reasoning")) or foreign.as_text(message.get("reasoning_content"))
    if not thought and "reasoning_details" in message:
        thought = _detailed(message["reasoning_details"])
    text, refusal = foreign.text_of(message.get("content")), foreign.as_text(message.get("refusal"))
    draft.reasoning.append(thought)
    draft.refusal.append(refusal)
    called = _read_calls(draft, message)
    spoken = foreign.as_object(message.get("audio"))
    text = text or foreign.as_text(spoken.get("transcript"))
    draft.text.append(text)
    return bool(text or refusal or called or spoken.get("data")), bool(thought)


def _detailed(details: object) -> str:
    """Reasoning told in parts only, as by OpenRouter: text or summaries. What is encrypted is no text."""
    parts = map(foreign.as_object, foreign.as_list(details))
    return "".join(foreign.as_text(part.get("text")) or foreign.as_text(part.get("summary")) for part in parts)


def _read_calls(draft: Draft, message: dict[str, Any]) -> bool:
    fragments = [foreign.as_object(call) for call in foreign.as_list(message.get("tool_calls"))]
    if isinstance(message.get("function_call"), dict):  # the form before tools, 2023
        fragments.append({"function": message["function_call"]})
    for fragment in fragments:
        custom = fragment.get("custom")
        function = foreign.as_object(custom or fragment.get("function"))
        arguments = function.get("input" if custom else "arguments")
        call = draft.call(_place(draft, fragment), fragment.get("id"), function.get("name"))
        call.custom = call.custom or bool(custom)
        if arguments:
            call.arguments.append(arguments if isinstance(arguments, str) else foreign.dump_json(arguments))
    return bool(fragments)


def _place(draft: Draft, fragment: dict[str, Any]) -> int:
    """The call's index. Plain answers have none: each call is its own."""
    index = foreign.as_count(fragment.get("index"))
    if index is not None:
        return index
    return 0 if draft.streamed else -1 - len(draft.calls)


def _read_usage(draft: Draft, said: dict[str, Any]) -> None:
    usage = foreign.as_object(said.get("usage"))
    if not usage:
        return
    counts = openai_usage(usage)
    if draft.streamed and is_zero(counts):
        return  # LiteLLM and Ollama send zeros with each event of a stream
    draft.counts = counts
    draft.reported_cost_usd = foreign.as_number(usage.get("cost"))
