"""Reads native /api/embed. Pure. It counts the prompt and tells total and load time, nothing else."""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft
from proxy.wire.errors import read_error
from proxy.wire.ollama_chat import read_durations
from proxy.wire.usage import ollama_usage


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read an answer into the draft."""
    draft.model = foreign.as_name(said.get("model"))
    draft.fail(read_error(said))
    draft.answered = bool(foreign.as_list(said.get("embeddings")))
    draft.counts = ollama_usage(said)
    draft.durations = read_durations(said)
