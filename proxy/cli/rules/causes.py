"""Alerts on what needs somebody whatever the service levels say: something is down, lost, late or too dear."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proxy.cli.rules.rule import Alert, Group, number, window
from proxy.core.config import Config, Objectives
from proxy.observe import definitions as d

_FULL: Final = 0.8  # of the journal's room on the disk
_MODEL_FOR_S: Final = 300.0  # a model that is loaded on demand is back by then
_LOOK_BACK: Final = "10m"


def cause_groups(config: Config) -> Iterator[Group]:
    """All of them; those without a limit in the settings are left out."""
    objectives = config.objectives
    yield Group(name="SightglassUpstreams", rules=(*_upstreams(objectives),))
    yield Group(name="SightglassQuality", rules=(_drift(),))
    yield Group(name="SightglassItself", rules=(*_itself(), *_keeping(config)))
    money = (*_money(objectives),)
    if money:
        yield Group(name="SightglassMoney", rules=money)


def _upstreams(objectives: Objectives) -> Iterator[Alert]:
    yield Alert(
        name="SightglassUpstreamDown",
        severity="page",
        expr=f"{d.UPSTREAM_UP.name} == 0",
        for_s=objectives.upstream_down_s,
        summary="The upstream {{ $labels.upstream }} does not answer",
        description=f"Its free health path has been mute for {window(objectives.upstream_down_s)}; calls to it fail.",
    )
    for model in objectives.models_loaded:
        name = _as_ollama_lists_it(model)
        series = f'{d.MODEL_LOADED.name}{{model="{name}"}}'
        yield Alert(
            name="SightglassModelNotLoaded",
            severity="ticket",
            # absent() alone would also fire when nobody scrapes; that is another alert.
            expr=f"max by (job, model) ({series}) == 0\nor\nabsent({series}) and on () {d.BUILD_INFO.name}",
            for_s=_MODEL_FOR_S,
            summary="The model {{ $labels.model }} is not in memory",
            description=f"No Ollama has had it loaded for {window(_MODEL_FOR_S)}, or none has it at all. The next call"
            " waits for it.",
        )


def _drift() -> Alert:
    return Alert(
        name="SightglassDrift",
        severity="ticket",
        expr=f"max by (job, route, model) ({d.DRIFT_STATE.name}) == 2",
        summary="Answers of {{ $labels.model }} at {{ $labels.route }} are not what they were",
        description="The detector has enough evidence that a kind of signal left its baseline.",
    )


def _itself() -> Iterator[Alert]:
    yield Alert(
        name="SightglassDown",
        severity="page",
        expr=f'up{{job=~".*sightglass.*"}} == 0\nor\nabsent({d.BUILD_INFO.name})',
        for_s=60,
        summary="Prometheus does not reach Sightglass",
        description="Its observer gives no metrics. Calls may still pass, as relays are processes of their own.",
    )
    yield Alert(
        name="SightglassObserverFaults",
        severity="ticket",
        expr=f"sum by (job, part) (increase({d.OBSERVER_ERRORS.name}[{_LOOK_BACK}])) > 0",
        summary="Faults in the observer's part {{ $labels.part }}",
        description="{{ $value | humanize }} within 10 minutes. Calls are not affected; what the part adds to their"
        " records may be missing, and their `observer_errors` say so.",
    )
    yield Alert(
        name="SightglassSpansDropped",
        severity="ticket",
        expr=f"sum by (job) (increase({d.SPANS_DROPPED.name}[{_LOOK_BACK}])) > 0",
        for_s=600,
        summary="Spans do not reach the OpenTelemetry collector",
        description="{{ $value | humanize }} were dropped within 10 minutes. Records, metrics and log are whole.",
    )


def _keeping(config: Config) -> Iterator[Alert]:
    lag_s = config.objectives.journal_lag_s
    yield Alert(
        name="SightglassRecordsLost",
        severity="page",
        expr=f"sum by (job, cause) (increase({d.LOST.name}[{_LOOK_BACK}])) > 0",
        summary="Calls without a record, by cause {{ $labels.cause }}",
        description="{{ $value | humanize }} within 10 minutes. The calls themselves went on.",
    )
    yield Alert(
        name="SightglassFramesLost",
        severity="page",
        expr=f"sum by (job, kind) (increase({d.FRAMES_LOST.name}[{_LOOK_BACK}])) > 0",
        summary="Relays could not keep frames of kind {{ $labels.kind }}",
        description="{{ $value | humanize }} within 10 minutes: disk and memory for waiting were full.",
    )
    yield Alert(
        name="SightglassJournalLag",
        severity="ticket",
        expr=f"{d.LAG.name} > {number(lag_s)}",
        for_s=60,
        summary="The ledger is {{ $value | humanizeDuration }} behind",
        description="Ended calls wait in the journal. The ledger is away, or the observer does not keep up.",
    )
    room = config.journal.max_bytes
    yield Alert(
        name="SightglassJournalFull",
        severity="page",
        expr=f"{d.LAG_BYTES.name} > {number(_FULL)} * {number(room)}",
        for_s=60,
        summary="The journal has {{ $value | humanize1024 }}B unread and will soon be full",
        description=f"A relay keeps up to {number(room)} bytes (journal.max_bytes); beyond, records are lost.",
    )


def _money(objectives: Objectives) -> Iterator[Alert]:
    if objectives.cost_per_day_usd is not None:
        most = number(objectives.cost_per_day_usd)
        yield Alert(
            name="SightglassCostPerDay",
            severity="page",
            expr=f"sum by (job) (increase({d.SPENT.name}[1d])) > {most}",
            summary='{{ $value | printf "%.2f" }} USD within a day',
            description=f"objectives.cost_per_day_usd allows {most} USD in 24 hours.",
        )
    if objectives.budget_usd_per_month is not None:
        budget = number(objectives.budget_usd_per_month)
        yield Alert(
            name="SightglassBudget",
            severity="ticket",
            expr=f"sum by (job) (increase({d.SPENT.name}[7d])) / 7 * 30 > {budget}",
            for_s=3600,
            summary='A month costs {{ $value | printf "%.2f" }} USD at the pace of the last week',
            description=f"objectives.budget_usd_per_month is {budget} USD.",
        )


def _as_ollama_lists_it(model: str) -> str:
    """Ollama lists `llama3.2` as `llama3.2:latest`."""
    name = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    return name.replace("\\", r"\\").replace('"', r"\"")
