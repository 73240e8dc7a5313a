"""Answered: what a scorer sees of one answer. Its texts live in memory only and go no further."""

from __future__ import annotations

from typing import Any

import msgspec

from proxy.observe.quality.form import Form


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One answer with what it answers. None: not known, or not told."""

    response: str
    form: Form  # of the response
    prompt: str = ""  # the last words of the user
    finish_reason: str | None = None
    json_asked: bool = False
    latency_s: float | None = None  # from the request to the end of the answer
    completion_tokens: int | None = None
    faults: frozenset[str] = frozenset()  # hard faults by name, such as `leak`; see the signals
    record: Any = None  # the call's record where there is one; None offline
