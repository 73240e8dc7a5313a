"""W3C Trace Context: the trace that a client says its call belongs to, and what is said to the upstream. Pure.

https://www.w3.org/TR/trace-context/ read strictly: a `traceparent` that is malformed, or comes twice, is none, and its
`tracestate` with it. The relay imports this file for every call: nothing heavy here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from proxy.core.otel import SamplerName

SAMPLED: Final = 0x01
# Of the flags that a parent sends, what its child says on: "random" (level 2) is a fact about the trace id.
_HANDED_ON: Final = 0x02
_PARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_LOW_BITS: Final = 0xFFFF_FFFF_FFFF_FFFF


class TraceContext(NamedTuple):
    """What one valid `traceparent` says."""

    trace_id: str  # 32 lower-case hexadecimal digits, not all 0
    span_id: str  # 16 of them: of the span that the sender is in
    flags: int  # 8 bits


def read_traceparent(values: Sequence[bytes]) -> TraceContext | None:
    """The context; None = there is none, it is malformed, or there is more than one. values: of all its fields."""
    if len(values) != 1:
        return None
    found = _PARENT.fullmatch(values[0].strip(b" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    # Version 00 ends with the flags; later ones may go on behind a hyphen; ff is forbidden.
    if version == b"ff" or (version == b"00" and rest is not None):
        return None
    if trace_id == b"0" * 32 or span_id == b"0" * 16:
        return None
    return TraceContext(trace_id.decode(), span_id.decode(), int(flags, 16))


def write_traceparent(trace_id: str, span_id: str, flags: int) -> bytes:
    """The value to send on, in version 00."""
    return f"00-{trace_id}-{span_id}-{flags:02x}".encode()


class Sampler:
    """Decides which traces are told to the collector. As OpenTelemetry's samplers of the same names."""

    def __init__(self, name: SamplerName, ratio: float) -> None:
        """ratio: share of traces, 0 to 1, where the name has a ratio."""
        self._heeds_parent = name.startswith("parentbased_")
        root = name.removeprefix("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(root, ratio)
        # The low 64 bits decide, as in the SDK: all that share a trace decide alike.
        self._bound = round(share * (_LOW_BITS + 1))

    def flags(self, trace_id: str, parent: TraceContext | None) -> int:
        """The trace flags of our spans. parent None: the trace begins here."""
        handed_on = parent.flags & _HANDED_ON if parent is not None else 0
        if parent is not None and self._heeds_parent:
            return handed_on | parent.flags & SAMPLED
        return handed_on | (SAMPLED if int(trace_id[16:], 16) < self._bound else 0)
