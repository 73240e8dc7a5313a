"""Reads native /api/embeddings, the old form. Pure. It has one vector and no token count at all."""

from __future__ import annotations

from typing import Any

from proxy.wire import foreign
from proxy.wire.draft import Draft
from proxy.wire.errors import read_error


def read_whole(draft: Draft, said: dict[str, Any]) -> None:
    """Read an answer into the draft."""
    draft.fail(read_error(said))
    draft.answered = bool(foreign.as_list(said.get("embedding")))
