"""Metrics: each call into its families once, and everything else at the scrape. The families are in definitions/.

Names of models and tools come from clients, so caps hold: `metrics.max_models` names get a label of their own, and all
families with such a label have `metrics.max_series` label sets together; what is beyond is `other`, and counted. A name
that was only ever rejected or refused takes no place: wrong names, and callers without a key, push no right ones out.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy import __version__
from proxy.core.call import CallRecord
from proxy.core.config import MetricsCaps
from proxy.observe import definitions as d
from proxy.observe.families import NONE, OTHER, Distribution, Example, Family, Labels, Latest, Numbers, SeriesBudget
from proxy.observe.guards import Part
from proxy.observe.observed import Observed
from proxy.observe.quality.faults import named
from proxy.observe.speed import tokens_per_second
from proxy.observe.tool_names import ToolNames

_UNPROVEN: Final = ("rejected", "refused")  # outcomes that say nothing for names of models and tools
ERROR_TYPES: Final = 64  # all are closed words; a bound in case that some day one is not
_MODEL_CHARACTERS: Final = 120
_CAPS: Final = MetricsCaps()

# What one call changes: where, which label set, by how much.
Change = tuple[Numbers | Distribution, Labels, float]


class Metrics(Collector):
    """The sink of records, and the collector of the registry."""

    part: Part = "metrics"

    def __init__(self, upstreams: Iterable[str], caps: MetricsCaps = _CAPS) -> None:
        """upstreams: their names in the settings."""
        self._models: set[str] = set()
        self._models_most = caps.max_models
        self._models_refused = 0
        self._error_types: set[str] = set()
        self._budget = SeriesBudget(caps.max_series)
        self._tool_names = ToolNames()
        self._stores = {family.name: self._store(family) for family in d.FAMILIES}
        for family in d.UPSTREAM_LABELLED:
            self.set(family, {(upstream,): 0 for upstream in upstreams})
        self.set(d.BUILD_INFO, {(__version__, platform.python_version()): 1})
        self._sources: list[Callable[[], None]] = []
        self._scraping = threading.Lock()
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    # -- a call ----------------------------------------------------------------------------------------------

    def prepare(self, observed: Observed) -> tuple[list[Change], Example | None]:
        """What the call will change, and the trace that it stands for."""
        record = observed.record
        return self._changes(record), _example(record)

    def deliver(self, prepared: Sequence[tuple[list[Change], Example | None]]) -> None:
        """Make the changes."""
        for changes, example in prepared:
            for store, labels, amount in changes:
                store.take(labels, amount, example if example is not None and store.family.examples else None)

    def _changes(self, record: CallRecord) -> list[Change]:
        model, upstream = self._model(record), record.upstream or NONE
        status_class = f"{record.status // 100}xx" if record.status is not None else NONE
        changes: list[Change] = [
            (self._stores[d.CALLS.name], (record.route, model, upstream, record.outcome, status_class), 1),
            (self._stores[d.OUTCOMES_TOTAL.name], (record.outcome,), 1),
        ]
        if record.error_type is not None:
            changes.append((self._stores[d.ERRORS.name], (self._error_type(record.error_type),), 1))
        changes.extend(self._times(record, model))
        changes.extend(self._sizes(record))
        if record.dialect != OTHER:
            changes.extend(self._usage(record, model))
        changes.extend(self._money(record, model, upstream))
        if record.litellm_call_id is not None:
            changes.extend(self._litellm(record, model))
        if record.outcome == "ok" and record.upstream is not None and record.duration_s is not None:
            ended_s = record.started_unix_ns / 1e9 + record.duration_s
            changes.append((self._stores[d.LAST_SUCCESS.name], (upstream,), ended_s))
        return changes

    def _times(self, record: CallRecord, model: str) -> Iterator[Change]:
        if record.duration_s is not None:
            yield self._stores[d.DURATION.name], (record.route, model, record.outcome), record.duration_s
        both = (record.route, model)
        for family, value_s in (
            (d.HEADERS, record.headers_s),
            (d.FIRST_BYTE, record.first_byte_s),
            (d.FIRST_TOKEN, record.first_token_s),
            (d.FIRST_ANSWER_TOKEN, record.first_answer_token_s),
            (d.PIECE_GAP, record.piece_gap_p50_s),
            (d.PIECE_GAP_MAX, record.piece_gap_max_s),
        ):
            if value_s is not None:
                yield self._stores[family.name], both, value_s
        for family, value in (
            (d.QUEUE, record.queue_s),
            (d.LOAD, record.load_s),
            (d.PROMPT_EVAL, record.prompt_eval_s),
            (d.GENERATION, record.generation_s),
            (d.TOKENS_PER_SECOND, tokens_per_second(record)),
        ):
            if value is not None:
                yield self._stores[family.name], (model,), value
        if record.cold_start:
            yield self._stores[d.COLD_STARTS.name], (model,), 1
        if record.overhead_s is not None:
            yield self._stores[d.OVERHEAD.name], (), record.overhead_s

    def _sizes(self, record: CallRecord) -> Iterator[Change]:
        if record.request_bytes is not None:
            yield self._stores[d.REQUEST_BYTES.name], (record.route,), record.request_bytes
        if record.response_bytes is not None:
            yield self._stores[d.RESPONSE_BYTES.name], (record.route,), record.response_bytes

    def _usage(self, record: CallRecord, model: str) -> Iterator[Change]:
        for kind, count in zip(
            d.TOKEN_KINDS,
            (record.prompt_tokens, record.completion_tokens, record.cached_tokens, record.reasoning_tokens),
            strict=True,
        ):
            if count is not None:
                yield self._stores[d.TOKENS.name], (model, kind, record.tokens_source), count
        for family, length in (
            (d.PROMPT_LENGTH, record.prompt_tokens),
            (d.COMPLETION_LENGTH, record.completion_tokens),
        ):
            if length is not None:
                yield self._stores[family.name], (model,), length
        if record.cost_nanousd is None and record.tokens_source != "missing":
            yield self._stores[d.UNPRICED.name], (model,), 1
        if record.tokens_source == "missing" and record.status is not None and record.status < 300:
            yield self._stores[d.UNCOUNTED.name], (model,), 1
        if record.tool_calls or record.tool_events:
            yield from self._tools(record, model)
        yield from self._quality(record, model)

    def _quality(self, record: CallRecord, model: str) -> Iterator[Change]:
        if record.signals is None:
            return
        if record.signals.quality is not None:
            yield self._stores[d.QUALITY.name], (model,), record.signals.quality
        for fault in named(record.signals.faults):
            yield self._stores[d.ANSWER_FAULTS.name], (fault,), 1

    def _money(self, record: CallRecord, model: str, upstream: str) -> Iterator[Change]:
        if record.cost_nanousd is not None:
            yield self._stores[d.COST.name], (model, upstream, record.cost_source), record.cost_nanousd
            yield self._stores[d.SPENT.name], (), record.cost_nanousd
        if record.shadow_cost_nanousd is not None and record.shadow_model is not None:
            labels = (model, record.shadow_model, record.shadow_source or NONE)
            yield self._stores[d.SHADOW_COST.name], labels, record.shadow_cost_nanousd

    def _litellm(self, record: CallRecord, model: str) -> Iterator[Change]:
        if record.litellm_overhead_s is not None:
            yield self._stores[d.LITELLM_OVERHEAD.name], (model,), record.litellm_overhead_s
        if record.litellm_retries:
            yield self._stores[d.LITELLM_RETRIES.name], (model,), record.litellm_retries
        if record.litellm_fallbacks:
            yield self._stores[d.LITELLM_FALLBACKS.name], (model,), record.litellm_fallbacks

    def _tools(self, record: CallRecord, model: str) -> Iterator[Change]:
        called, proven = 0, _answered(record)
        for event in record.tool_events:
            tool = self._tool_names.label(event, proven=proven)
            if event.kind == "offered":
                yield self._stores[d.TOOLS_OFFERED.name], (tool,), 1
            elif event.kind == "called":
                called += 1
                yield self._stores[d.TOOL_CALLS.name], (model, tool), 1
                if event.valid is False:
                    yield self._stores[d.TOOL_CALLS_INVALID.name], (model, tool), 1
            else:
                if event.round_trip_s is not None:
                    yield self._stores[d.TOOL_ROUND_TRIP.name], (tool,), event.round_trip_s
                if event.error:
                    yield self._stores[d.TOOL_ERRORS.name], (tool,), 1
        if record.tool_calls is not None and record.tool_calls > called:  # beyond the events that are kept
            yield self._stores[d.TOOL_CALLS.name], (model, OTHER), record.tool_calls - called

    def _model(self, record: CallRecord) -> str:
        model = record.model
        if model is None:
            return NONE
        model = model[:_MODEL_CHARACTERS]
        if model in self._models:
            return model
        if len(self._models) < self._models_most and (_answered(record) or record.model_digest is not None):
            self._models.add(model)
            return model
        self._models_refused += 1
        return OTHER

    def _error_type(self, word: str) -> str:
        if word not in self._error_types:
            if len(self._error_types) >= ERROR_TYPES:
                return OTHER
            self._error_types.add(word)
        return word

    # -- a scrape --------------------------------------------------------------------------------------------

    def at_scrape(self, source: Callable[[], None]) -> None:
        """Call `source` before each rendering; it sets what it knows, and raises nothing."""
        self._sources.append(source)

    def set(self, family: Family, values: Mapping[Labels, float]) -> None:
        """Set what is counted elsewhere; label sets that are not named stay."""
        store = self._stores[family.name]
        assert isinstance(store, Numbers)
        store.values.update(values)

    def replace(self, family: Family, values: Mapping[Labels, float]) -> None:
        """Set what is counted elsewhere; label sets that are not named go."""
        store = self._stores[family.name]
        assert isinstance(store, Numbers)
        store.values = dict(values)

    def succeeded(self, upstream: str, at_unix_s: float) -> None:
        """A good call ended, before this process began."""
        self._stores[d.LAST_SUCCESS.name].take((upstream,), at_unix_s)

    def graded(self, record: CallRecord, grade: float) -> None:
        """The judge graded an answer, in [0, 1]. By the observer's thread, as all that changes."""
        self._stores[d.JUDGE_GRADE.name].take((self._model(record),), grade)

    def scraped(self, took_s: float) -> None:
        """A page was rendered."""
        self.set(d.SCRAPE, {(): took_s})

    def last_success(self) -> dict[str, float]:
        """Upstream -> Unix time when its last good call ended; without those that had none."""
        store = self._stores[d.LAST_SUCCESS.name]
        assert isinstance(store, Numbers)
        return {labels[0]: at for labels, at in store.values.copy().items() if at}

    def collect(self) -> Iterable[Metric]:
        """All families, in the order of definitions/. From any thread, one at a time."""
        with self._scraping:
            for source in self._sources:
                source()
            overflow: dict[Labels, float] = {
                ("models",): self._models_refused,
                ("series",): self._budget.overflowed,
                ("tools",): self._tool_names.refused,
            }
            self.set(d.OVERFLOW, overflow)
            self.set(d.LABEL_SETS, {(): self._budget.taken})
            yield from [store.metric() for store in self._stores.values()]

    def _store(self, family: Family) -> Numbers | Distribution:
        if family.kind == "histogram":
            return Distribution(family, self._budget)
        return (Latest if family is d.LAST_SUCCESS else Numbers)(family, self._budget)


def _example(record: CallRecord) -> Example | None:
    """None: the call belongs to no trace."""
    if record.trace_id is None:
        return None
    return Example(record.trace_id, record.started_unix_ns / 1e9 + (record.duration_s or 0.0))


def _answered(record: CallRecord) -> bool:
    """Whether an upstream took the call: names that only a client knows take no place under the caps."""
    return record.outcome not in _UNPROVEN and record.status is not None and record.status < 400
