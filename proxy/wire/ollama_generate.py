"""Reads native /api/generate: text in `response` at the top level. Pure. Its last line can be megabytes (`context`)."""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft, Payloads
from proxy.wire.ollama_chat import read_frame


def read_events(draft: Draft, payloads: Payloads) -> None:
    """Read lines of a stream into the draft. May be called again with later lines."""
    for said, index, end in draft.objects(payloads):
        text, thought = _read_text(draft, said)
        if text or thought:
            draft.token(index, end, answer=bool(text))
        read_frame(draft, said)


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read a plain answer into the draft."""
    _read_text(draft, said)
    read_frame(draft, said)


def _read_text(draft: Draft, said: dict[str, Any]) -> tuple[str, str]:
    text, thought = foreign.as_text(said.get("response")), foreign.as_text(said.get("thinking"))
    draft.text.append(text)
    draft.reasoning.append(thought)
    return text, thought
