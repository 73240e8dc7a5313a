"""What `sightglass drift` asks of the ledger, and how it tells it to people."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from proxy.analyse.drift.known import KnownLanes
from proxy.cli.call_table import printable
from proxy.core.errors import LedgerError
from proxy.core.event import Event
from proxy.store import LedgerReader, StoredCall, UpstreamChanges, open_ledger, open_reader

_EFFECTS: Final = {
    "output": "The answers are not what they were.",
    "input": "The prompts are not what they were; the model need not have changed.",
    "share": "A fault of answers is commoner than it was.",
    "latency": "Answers take longer than they did, for as many tokens and as much load.",
    "exact": "The answers call their model by another name or fingerprint.",
}
_DIGEST: Final = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_NEAR_NS: Final = 3600 * 10**9  # changes at the upstream within an hour may be the cause


def status(directory: Path) -> list[dict[str, Any]]:
    """Each route and model of the ledger, the one that answered last first."""
    with _reading(directory) as reader:
        lanes, told = reader.drift_lanes(), reader.drift_events()
    known, found = KnownLanes(told), []
    for lane in lanes:
        their = known.of(lane.lane)
        alarms = {subject: event.event_id for subject, event in their.standing.items()}
        state = "alarmed" if alarms else "calm" if their.learned else "learning"
        values = msgspec.structs.asdict(lane) | {"state": state, "baseline": their.told, "alarms": alarms}
        found.append({name: value for name, value in values.items() if name not in ("lane", "seq")})
    return found


def status_table(found: list[dict[str, Any]]) -> list[str]:
    """Lines for people."""
    rows = [
        (
            str(one["state"]), str(one["route"]), printable(one["model"] or "-"), str(one["digest"] or "-")[:12],
            str(one["answers"]), str(one["baseline"] or "-"),
            "-" if one["quality"] is None else f"{one['quality']:.2f}",
            ", ".join(f"{subject} (event {number})" for subject, number in one["alarms"].items()) or "-",
        )
        for one in found
    ]  # fmt: skip
    if not rows:
        return ["no answers yet: each route and model is watched from its first answer on"]
    titles = ("STATE", "ROUTE", "MODEL", "DIGEST", "ANSWERS", "BASELINE", "QUALITY", "ALARMS")
    return _table(titles, rows)


def events(directory: Path, last: int) -> list[Event]:
    """The newest ones, oldest first."""
    with _reading(directory) as reader:
        return reader.drift_events()[-last:]


def event_table(found: list[Event]) -> list[str]:
    """Lines for people."""
    if not found:
        return ["nothing yet: the first event is the baseline of a route and model"]
    titles = ("ID", "AT", "EVENT", "WHAT", "SEVERITY", "ROUTE", "MODEL", "BEFORE", "AFTER")
    rows = [
        (
            str(event.event_id), _local(event.at_unix_ns), event.kind.removeprefix("drift_"),
            *_what(event), str(event.details.get("route", "-")),
            *(printable(text or "-") for text in (event.model, event.before, event.after)),
        )
        for event in found
    ]  # fmt: skip
    return _table(titles, rows)


def explained(directory: Path, event_id: int) -> Iterator[str]:
    """An event in words."""
    with _reading(directory) as reader:
        event = _of_id(reader, event_id)
        seen_at = {event.details.get(name) for name in ("since_call_id", "call_id")}
        calls = reader.calls_of([str(call_id) for call_id in {*seen_at, *event.details.get("examples", ())}])
        others = [other for other in reader.events(last=1000) if _may_explain(other, event)]
    told = event.details
    word = event.kind.removeprefix("drift_")
    what = "" if event.kind == "drift_baseline" else f", {told.get('subject')}"
    yield f"Event {event.event_id}, {_local(event.at_unix_ns)}: {word}{what}"
    yield f"  {told.get('route')}  {printable(event.model or '-')}  {str(told.get('digest', ''))[:12]}".rstrip()
    if event.kind == "drift_raised":
        yield f"  {_EFFECTS.get(str(told.get('kind')), '')} Severity: {told.get('severity')}."
        yield f"  Evidence {told.get('evidence')} nats; an alarm needs {told.get('level')} and a margin by kind."
    if "since_call_id" in told:
        yield f"  Since call {_call(told['since_call_id'], calls)}"
        yield f"  Seen at call {_call(told.get('call_id'), calls)}"
    if event.kind == "drift_accepted":
        yield f"  Event {told.get('accepted')} was accepted: a new baseline is learned."
    elif event.kind == "drift_baseline":
        yield f"  Baseline {told.get('version')} is learned."
    else:
        answers = f", of {told['baseline_answers']} answers" if "baseline_answers" in told else ""
        yield f"  Against baseline {told.get('version')}{answers}."
    for signal in told.get("signals", ()):
        yield f"    {_moved(signal, share=told.get('kind') == 'share')}"
    if event.kind == "drift_raised":
        for call_id in told.get("examples", ()):
            yield f"  example: {_call(call_id, calls)}"
    for other in others:
        yield (
            f"  near in time: {other.kind} of {printable(other.model or other.upstream or '-')}:"
            f" {_short(other.before)} -> {_short(other.after)} at {_local(other.at_unix_ns)}"
        )
    if event.kind == "drift_raised":
        yield f"  Meant to be so? sightglass drift accept {event.event_id}"


def _may_explain(other: Event, event: Event) -> bool:
    """Whether it is a change at the same upstream, of the same model if of one, and near in time."""
    if other.kind.startswith("drift_") or abs(other.at_unix_ns - event.at_unix_ns) >= _NEAR_NS:
        return False
    return other.upstream in (None, event.upstream) and other.model in (None, event.model)


def _short(text: str | None) -> str:
    """A digest by its begin."""
    return _DIGEST.sub(r"\1", printable(text or "-"))


def _what(event: Event) -> tuple[str, str]:
    """Subject and severity, where there are such."""
    if event.kind == "drift_baseline":
        return f"version {event.details.get('version', 1)}", "-"
    severity = str(event.details.get("severity", "-")) if event.kind == "drift_raised" else "-"
    return str(event.details.get("subject", "-")), severity


def _moved(signal: Mapping[str, Any], *, share: bool) -> str:
    name = printable(str(signal["name"]))
    if share:
        return f"{name}: {signal['before']:.1%} of the answers -> {signal['after']:.1%}"
    moved = f", moved by {signal['moved']:+.2f} standard deviations" if "moved" in signal else ""
    return f"{name}: {signal['before']:.4g} -> {signal['after']:.4g}{moved}"


def _call(call_id: object, calls: Mapping[str, StoredCall]) -> str:
    """A call with what helps to find it elsewhere; its id alone, where the ledger does not have it any more."""
    stored = calls.get(str(call_id))
    if stored is None:
        return str(call_id)
    record = stored.record
    parts = [_local(record.started_unix_ns)]
    if record.completion_tokens is not None:
        parts.append(f"{record.completion_tokens} tokens")
    if record.duration_s is not None:
        parts.append(f"{record.duration_s:.2f} s")
    if record.finish_reason is not None:
        parts.append(printable(record.finish_reason))
    return f"{call_id}  ({', '.join(parts)})"


def accept(directory: Path, event_id: int) -> str:
    """Have the route and model of an event learn anew."""
    with _reading(directory) as reader:
        event = _of_id(reader, event_id)
        _acceptable(event, reader.drift_events())
        lane = next((one for one in reader.drift_lanes() if str(one.lane) == event.details.get("lane")), None)
    if lane is None:
        raise click.ClickException(f"event {event_id}: its route and model have no answers in the ledger any more")
    details = {"lane": str(lane.lane), "seq": lane.seq, "route": lane.route, "subject": event.details.get("subject")}
    accepted = Event(
        at_unix_ns=time.time_ns(), kind="drift_accepted", upstream=event.upstream, model=event.model,
        details={**details, "accepted": event_id},
    )  # fmt: skip
    try:
        with open_ledger(directory) as ledger:
            ledger.note_changes(UpstreamChanges(events=[accepted]))
    except LedgerError as error:
        raise click.ClickException(str(error)) from error
    return f"sightglass: {lane.route} {printable(lane.model or '-')} learns a new baseline from its next answers"


def _acceptable(event: Event, told: Sequence[Event]) -> None:
    """Raises ClickException for what is no alarm, or was accepted before."""
    if event.kind not in ("drift_raised", "drift_recovered"):
        what = event.kind.removeprefix("drift_")
        raise click.ClickException(f"event {event.event_id} is of kind {what}: only an alarm can be accepted")
    for other in told:
        later = other.event_id > event.event_id and other.details.get("lane") == event.details.get("lane")
        if later and other.kind == "drift_accepted":
            raise click.ClickException(
                f"event {event.event_id}: its route and model learn, or have learned, a new baseline since"
                f" event {other.event_id}"
            )


def replay_ledger(data: str | None, config: str | None, budget: float, show: Callable[[Any], None]) -> None:
    """Feed the signals of the ledger, as a calm observer with these settings would have, and print the events."""
    from proxy.analyse.drift.again import Again
    from proxy.analyse.drift.tuning import tuned
    from proxy.cli.options import read_settings

    settings = read_settings({"config": config}).config
    with _reading(Path(data or settings.data).expanduser()) as reader:
        again = Again(reader, budget, tuned(settings.drift))
        for event in again.events():
            show(event)
    if again.learning:
        click.echo(
            f"sightglass: {again.learning} routes and models had too few answers for a baseline"
            f" ({settings.drift.warm_up_answers} are needed)",
            err=True,
        )


def _of_id(reader: LedgerReader, event_id: int) -> Event:
    found = next((event for event in reader.drift_events() if event.event_id == event_id), None)
    if found is None:
        raise click.ClickException(f"there is no drift event {event_id}; `sightglass drift events` shows all")
    return found


@contextlib.contextmanager
def _reading(directory: Path) -> Iterator[LedgerReader]:
    try:
        with open_reader(directory) as reader:
            yield reader
    except LedgerError as error:
        raise click.ClickException(str(error)) from error


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    widths = [max(len(row[place]) for row in (titles, *rows)) for place in range(len(titles))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (titles, *rows)
    ]


def _local(unix_ns: int) -> str:
    return datetime.fromtimestamp(unix_ns // 10**9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
