"""Estimated tokens, where nobody told or counted them and the settings ask for a guess: bytes of text / 4. Pure.

The rule is the coarse one that people know: a token is about four bytes of English text (UTF-8), rounded up. It takes
the texts of the request (messages, prompt, input, system, instructions) and of the answer (text, reasoning, refusal,
tool calls); no tool schemas, images or template of the model. What was not kept or read whole is not estimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.exchange import Exchange
from proxy.core.usage import TokenCounts
from proxy.wire import foreign
from proxy.wire.answers import READERS, request_object
from proxy.wire.meaning import Meaning

BYTES_PER_TOKEN: Final = 4
_ASKED: Final = ("messages", "prompt", "input", "system", "instructions", "suffix")
_DEPTH: Final = 6  # messages > content > parts > text; tool results may nest once more


def estimated(record: CallRecord, meaning: Meaning, exchange: Exchange) -> tuple[CallRecord, Meaning]:
    """Both with estimated counts where there were none and the call was answered; else as they are."""
    reader = READERS.get(meaning.dialect)
    status = exchange.finished.upstream_status
    if meaning.tokens_source != "missing" or reader is None or status is None or not 200 <= status < 300:
        return record, meaning
    said = request_object(exchange)
    prompt = None if said is None else _tokens(text for name in _ASKED for text in _texts(said.get(name), 0))
    completion = _tokens(_answered(meaning)) if reader.generates and meaning.unread is None else None
    if prompt is None and completion is None:
        return record, meaning
    meaning = replace(meaning, tokens=TokenCounts(prompt=prompt, completion=completion), tokens_source="estimated")
    record = replace(record, prompt_tokens=prompt, completion_tokens=completion, tokens_source="estimated")
    return record, meaning


def _tokens(texts: Iterator[str]) -> int:
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    return -(-size // BYTES_PER_TOKEN)


def _answered(meaning: Meaning) -> Iterator[str]:
    yield from (meaning.text, meaning.reasoning, meaning.refusal)
    for call in meaning.tool_calls:
        yield from (call.name or "", call.arguments)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """The texts of a message, a part, or a list of them."""
    if isinstance(value, str):
        yield value
    elif depth < _DEPTH and isinstance(value, list):
        for one in value:
            yield from _texts(one, depth + 1)
    elif depth < _DEPTH and isinstance(value, dict):
        for name in ("content", "text", "thinking", "reasoning", "reasoning_content", "output"):
            yield from _texts(foreign.as_text(value[name]) or value[name], depth + 1) if name in value else ()
