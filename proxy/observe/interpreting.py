"""Interpreting: a finished frame -> the call's record, whatever fails on the way.

frame ──▶ reading (bytes -> meaning) ──▶ pricing ──▶ record
             │ fails: a bare record        │ fails: cost unknown
             └─────────────┬───────────────┘
                           ▼ observer_errors names the part
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import msgspec
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.config import UpstreamKind
from proxy.core.exchange import Exchange, Finished
from proxy.core.outcomes import Outcome
from proxy.journal.frames import Frame
from proxy.observe.guards import Guards
from proxy.observe.pricing import PriceBook
from proxy.observe.reading import interrupted_call, read_call
from proxy.observe.upstream_kind import effective_kind
from proxy.wire.meaning import Meaning

Probed = Callable[[str | None], UpstreamKind | None]  # name of an upstream -> what the probe found there

_decode_finished: Final = msgspec.json.Decoder(Finished).decode
_BARE_OUTCOMES: Final[dict[str, Outcome]] = {
    "refused": "refused",
    "upstream_failed": "upstream_error",
    "timeout": "timeout",
    "client_left": "client_gone",
    "stopped": "interrupted",
    "proxy_failed": "proxy_error",
}


class Interpreter:
    """Makes records of frames. For the observer's thread."""

    def __init__(self, guards: Guards, prices: PriceBook | None, probed: Probed) -> None:
        """`prices` None: pricing could not be set up; each cost is then unknown and says so."""
        self._guards = guards
        self._prices = prices
        self._probed = probed

    def record(self, frame: Frame) -> CallRecord | None:
        """The record of a finished frame; None when not even its meta can be read (counted, logged)."""
        try:
            self._guards.force("reading")
            exchange = frame.exchange()
            record, meaning = read_call(exchange)
        except Exception as error:
            return self._bare(frame, error)
        if record.dialect == "other":
            return record
        try:
            self._guards.force("pricing")
            return self._priced(record, meaning, exchange)
        except Exception as error:
            self._guards.note("pricing", error, call_id=record.call_id)
            return replace(record, observer_errors=(*record.observer_errors, "pricing"))

    def _priced(self, record: CallRecord, meaning: Meaning, exchange: Exchange) -> CallRecord:
        if self._prices is None:
            return replace(record, observer_errors=(*record.observer_errors, "pricing"))
        kind = effective_kind(
            cast(UpstreamKind, exchange.finished.upstream_kind or "auto"),
            dialect=record.dialect,
            fingerprint=meaning.system_fingerprint,
            answer_head=exchange.answer_head,
            probed=self._probed(record.upstream),
        )
        cost = self._prices.price_call(
            record.model,
            record.model_answered,
            meaning.tokens,
            kind=kind,
            service_tier=meaning.service_tier,
            at_unix_s=record.started_unix_ns / 1e9,
        )
        if cost.nanousd is None:
            return record
        return replace(record, cost_nanousd=cost.nanousd, cost_source=cost.source)

    def _bare(self, frame: Frame, error: Exception) -> CallRecord | None:
        try:
            finished = _decode_finished(frame.meta)
        except msgspec.MsgspecError:
            self._guards.note("reading", error)
            return None
        self._guards.note("reading", error, call_id=finished.call_id)
        return bare_call(finished)


def bare_call(finished: Finished) -> CallRecord:
    """What the relay alone knows of a call: no tokens, no model but the one asked for."""
    return replace(
        interrupted_call(finished),
        outcome=_bare_outcome(finished),
        status=finished.status,
        error_type=finished.error_code,
        error_message=finished.error_message,
        headers_s=finished.headers_s,
        duration_s=finished.duration_s,
        overhead_s=finished.overhead_s,
        request_bytes=finished.request_bytes,
        response_bytes=finished.response_bytes,
        attempts=finished.attempts,
        observer_errors=("reading",),
    )


def _bare_outcome(finished: Finished) -> Outcome:
    if finished.ending in _BARE_OUTCOMES:
        return _BARE_OUTCOMES[finished.ending]
    status = finished.upstream_status or finished.status or 0
    if status == 429 or status >= 500:
        return "upstream_error"
    return "rejected" if status >= 400 else "ok"
