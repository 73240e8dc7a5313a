"""Reads /v1/embeddings. Pure. Vectors are not looked into; LiteLLM adds completion tokens of 0, which are true."""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft
from proxy.wire.errors import read_error
from proxy.wire.usage import openai_usage


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read an answer into the draft."""
    draft.identify(said)
    draft.fail(read_error(said))
    draft.answered = bool(foreign.as_list(said.get("data")))
    usage = foreign.as_object(said.get("usage"))
    if usage:
        draft.counts = openai_usage(usage)
        draft.reported_cost_usd = foreign.as_number(usage.get("cost"))
