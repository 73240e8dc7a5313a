"""A ledger in a directory of its own, and calls to put into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.core.call import CallRecord
from proxy.store import Ledger, open_ledger

MakeCall = Callable[..., CallRecord]


@pytest.fixture
def make_call() -> MakeCall:
    """A call by its id, with whatever else matters to the test."""

    def make(call_id: str = "a", **fields: Any) -> CallRecord:
        usual: dict[str, Any] = {
            "request_id": f"req-{call_id}",
            "started_unix_ns": 1_763_711_111_123_456_789,
            "route": "/v1/chat/completions",
            "dialect": "openai_chat",
            "method": "POST",
            "outcome": "ok",
        }
        return CallRecord(call_id=call_id, **{**usual, **fields})

    return make


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened
