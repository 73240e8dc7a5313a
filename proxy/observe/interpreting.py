"""Interpreting: a finished frame -> the call as observed, whatever fails on the way.

frame ──▶ reading (bytes -> meaning) ──▶ pricing ──▶ attribution ──▶ signals ──▶ record
             │ fails: a bare record        │ fails: cost unknown   │ fails: its fields unknown
             └─────────────┬───────────────┴───────────────────────┘
                           ▼ observer_errors names the part

Signals cost more than all the rest. So of calls that ended long ago, as after a time without an observer, only some
are scored, by chance: the ledger catches up first, and what has no signals is counted.
"""

from __future__ import annotations

import os
import time
from binascii import crc32
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

import msgspec
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.config import UpstreamKind
from proxy.core.exchange import Exchange, Finished
from proxy.core.outcomes import Outcome
from proxy.core.signal_row import SignalRow
from proxy.journal.frames import Frame
from proxy.observe.attribution import Attribution, Remembering
from proxy.observe.estimating import estimated
from proxy.observe.guards import Guards
from proxy.observe.observed import Observed
from proxy.observe.pricing import Cost, PriceBook
from proxy.observe.reading import interrupted_call, read_call
from proxy.observe.told_cost import settled_cost
from proxy.observe.upstream_kind import effective_kind
from proxy.observe.upstreams.watcher import Watcher
from proxy.wire.answers import request_object
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


# Calls that ended longer ago are caught up with. Under lasting overload the lag stays about there: health calls it late
# at 30 s only.
BEHIND_S: Final = 10.0
SCORED_BEHIND: Final = 16  # of these, one in so many is scored
# As after an hour without an observer. Of what is left some thousands are scored; all would take three times as long.
FAR_BEHIND_S: Final = 300.0
SCORED_FAR_BEHIND: Final = 64


class SignalMaker(Protocol):
    """Makes the signals of an answer; `quality.signalling.Signalling` is one."""

    def row(self, record: CallRecord, meaning: Meaning, request: dict[str, Any] | None) -> SignalRow | None: ...

    def passed(self, record: CallRecord, meaning: Meaning) -> bool:
        """The call is not to be scored. Gives whether it would have been."""


class Interpreter:
    """Makes records of frames. For the observer's thread."""

    def __init__(
        self,
        guards: Guards,
        prices: PriceBook | None,
        probed: Probed,
        *,
        watcher: Watcher | None = None,
        estimate_tokens: bool = False,
        attribution: Attribution | None = None,
        signalling: SignalMaker | None = None,
        keys: Mapping[str, bytes] = MappingProxyType({}),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`prices` None: pricing could not be set up; each cost is then unknown and says so.

        signalling: makes the signals of answers; None = nobody does.
        watcher: says which model answered; None = nobody does. attribution: None = one with a key of its own.
        keys: upstream -> its key, which is in nothing that we tell. clock: Unix time, to know what is caught up with.
        """
        self.unscored = 0  # answers that were not scored, as they were caught up with
        self._guards = guards
        self._watcher = watcher
        self._prices = prices
        self._probed = probed
        self._estimate_tokens = estimate_tokens
        self._attribution = attribution or Attribution(guards, os.urandom(32))
        self._signalling = signalling
        self._keys = keys
        self._clock = clock

    def observed(self, frame: Frame) -> Observed | None:
        """The call of a finished frame; None when not even its meta can be read (counted, logged)."""
        try:
            self._guards.force("reading")
            exchange = frame.exchange()
            request = request_object(exchange)
            record, meaning = read_call(exchange, request, hidden=self._keys.get(exchange.finished.upstream or ""))
        except Exception as error:
            return self._bare(frame, error)
        record = self._valued(self._stamped(record), meaning, exchange)
        record = self._attribution.attributed(record, meaning, exchange.request_head, request)
        record = self._signalled(record, meaning, request)
        return Observed(record=record, exchange=exchange, meaning=meaning, request=request)

    def recall(self, ledger: Remembering) -> None:
        """Begin anew with what the ledger remembers of the calls so far. Raises LedgerError."""
        self._attribution.recall(ledger)

    def _valued(self, record: CallRecord, meaning: Meaning, exchange: Exchange) -> CallRecord:
        """The record with its cost."""
        if record.dialect == "other" and meaning.litellm is None:
            return record
        try:
            self._guards.force("pricing")
            if self._estimate_tokens:
                record, meaning = estimated(record, meaning, exchange)
            return self._priced(record, meaning, exchange)
        except Exception as error:
            self._guards.note("pricing", error, call_id=record.call_id)
            return replace(record, observer_errors=(*record.observer_errors, "pricing"))

    def _signalled(self, record: CallRecord, meaning: Meaning, request: dict[str, Any] | None) -> CallRecord:
        """The record with what the drift detector compares."""
        if self._signalling is None:
            return record
        try:
            self._guards.force("drift")
            if self._passes(record):
                self.unscored += self._signalling.passed(record, meaning)
                return record
            row = self._signalling.row(record, meaning, request)
        except Exception as error:
            self._guards.note("drift", error, call_id=record.call_id)
            return replace(record, observer_errors=(*record.observer_errors, "drift"))
        return record if row is None else replace(record, signals=row)

    def _passes(self, record: CallRecord) -> bool:
        """Whether the call is one to catch up with, and not among those that are scored: the same ones when it is read
        again.
        """
        behind_s = self._clock() - record.started_unix_ns / 1e9 - (record.duration_s or 0.0)
        if behind_s < BEHIND_S:
            return False
        one_in = SCORED_BEHIND if behind_s < FAR_BEHIND_S else SCORED_FAR_BEHIND
        return crc32(record.call_id.encode("utf-8", "replace")) % one_in != 0

    def _stamped(self, record: CallRecord) -> CallRecord:
        """The record with what the watcher knows of the model."""
        if self._watcher is None:
            return record
        try:
            self._guards.force("upstreams")
            return self._watcher.stamped(record)
        except Exception as error:
            self._guards.note("upstreams", error, call_id=record.call_id)
            return replace(record, observer_errors=(*record.observer_errors, "upstreams"))

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
        ours = self._prices.price_call(
            record.model,
            record.model_answered,
            meaning.tokens,
            tokens_source=meaning.tokens_source,
            work_ns=_work_ns(meaning),
            deployment=record.litellm_model,
            kind=kind,
            service_tier=meaning.service_tier,
            at_unix_s=record.started_unix_ns / 1e9,
        )
        return _with_cost(record, settled_cost(meaning, exchange.finished.upstream_status, ours))

    def _bare(self, frame: Frame, error: Exception) -> Observed | None:
        try:
            finished = _decode_finished(frame.meta)
        except msgspec.MsgspecError:
            self._guards.note("reading", error)
            return None
        self._guards.note("reading", error, call_id=finished.call_id)
        return Observed(record=bare_call(finished), started=finished)


def _with_cost(record: CallRecord, cost: Cost) -> CallRecord:
    if cost.nanousd is not None:
        record = replace(record, cost_nanousd=cost.nanousd, cost_source=cost.source, cost_origin=cost.origin)
    shadow = cost.shadow
    if shadow is None:
        return record
    return replace(record, shadow_model=shadow.model, shadow_cost_nanousd=shadow.nanousd, shadow_source=shadow.source)


def _work_ns(meaning: Meaning) -> int | None:
    """What Ollama took to read the prompt and to generate; None = it did not tell. What took no time is not told."""
    durations = meaning.durations
    if durations is None or durations.eval_ns is None:
        return None
    return durations.eval_ns + (durations.prompt_eval_ns or 0)


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
