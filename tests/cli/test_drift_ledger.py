"""`sightglass drift status|events|explain|accept` as a person reads them, from a ledger with an alarm in it."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from proxy.cli import drift_ledger
from proxy.core.call import CallRecord
from proxy.core.event import DriftKind, Event
from proxy.core.signal_row import SignalRow
from proxy.store import Batch, UpstreamChanges, open_ledger

LANE = 7


def call(number: int) -> CallRecord:
    return CallRecord(
        call_id=f"call-{number}", request_id=f"r{number}", started_unix_ns=number * 10**9, route="/api/chat",
        dialect="ollama_chat", method="POST", outcome="ok", model="m", completion_tokens=20 + number, duration_s=1.5,
        finish_reason="stop", signals=SignalRow(lane=LANE, numbers=b"", faults=0, quality=0.5),
    )  # fmt: skip


def event(word: DriftKind, /, **details: object) -> Event:
    told = {
        "lane": str(LANE),
        "seq": 2,
        "route": "/api/chat",
        "version": 1,
        "level": 9.0,
        "severity": "none",
        **details,
    }
    return Event(at_unix_ns=3 * 10**9, kind=word, model="m", upstream="default", details=told)


RAISED = event(
    "drift_raised", kind="share", subject="share:loop", severity="high", evidence=12.5, since_call_id="call-1",
    call_id="call-2", examples=["call-2", "gone"], signals=[{"name": "loop", "before": 0.0, "after": 0.25}],
)  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with open_ledger(tmp_path) as ledger:
        ledger.commit(Batch(calls=[call(1), call(2)]))
        ledger.note_changes(UpstreamChanges(events=[event("drift_baseline", kind="output", subject="output"), RAISED]))
    return tmp_path


def test_status_names_the_alarms_with_their_events(data: Path) -> None:
    [line] = drift_ledger.status_table(drift_ledger.status(data))[1:]

    assert line.split()[:3] == ["alarmed", "/api/chat", "m"]
    assert line.endswith("share:loop (event 2)")


def test_a_baseline_has_no_severity(data: Path) -> None:
    baseline, raised = drift_ledger.event_table(drift_ledger.events(data, 10))[1:]

    assert baseline.split()[3:7] == ["baseline", "version", "1", "-"]
    assert raised.split()[3:6] == ["raised", "share:loop", "high"]


def test_an_alarm_in_words(data: Path) -> None:
    text = "\n".join(drift_ledger.explained(data, 2))

    assert "loop: 0.0% of the answers -> 25.0%" in text
    assert "Since call call-1  (" in text
    assert "example: call-2  (" in text
    assert "22 tokens, 1.50 s, stop)" in text
    assert "  example: gone\n" in text
    assert text.endswith("sightglass drift accept 2")


def test_what_was_accepted_learns_anew_and_says_so(data: Path) -> None:
    drift_ledger.accept(data, 2)

    [lane] = drift_ledger.status(data)
    [accepted] = drift_ledger.events(data, 1)
    assert (lane["state"], lane["alarms"]) == ("learning", {})
    assert "Event 2 was accepted" in "\n".join(drift_ledger.explained(data, accepted.event_id))


def test_an_empty_ledger_says_that_nothing_is_there_yet(tmp_path: Path) -> None:
    with open_ledger(tmp_path):
        pass

    assert drift_ledger.status_table(drift_ledger.status(tmp_path))[0].startswith("no answers yet")
    assert drift_ledger.event_table(drift_ledger.events(tmp_path, 5))[0].startswith("nothing yet")


def test_what_was_accepted_is_not_accepted_again(data: Path) -> None:
    drift_ledger.accept(data, 2)
    with pytest.raises(click.ClickException, match="new baseline since event 3"):
        drift_ledger.accept(data, 2)
    with pytest.raises(click.ClickException, match="only an alarm can be accepted"):
        drift_ledger.accept(data, 1)
    with pytest.raises(click.ClickException, match="only an alarm can be accepted"):
        drift_ledger.accept(data, 3)
    assert len(drift_ledger.events(data, 10)) == 3


def test_what_befell_other_models_explains_nothing(data: Path) -> None:
    digests = {"before": "sha256:" + 64 * "a", "after": "sha256:" + 64 * "b"}
    with open_ledger(data) as ledger:
        changes = [
            Event(at_unix_ns=3 * 10**9, kind="model_digest", model=model, upstream=upstream, **digests)
            for model, upstream in (("m", "default"), ("other", "default"), ("m", "elsewhere"))
        ]
        ledger.note_changes(UpstreamChanges(events=changes))

    near = [line for line in drift_ledger.explained(data, 2) if "near in time" in line]

    assert len(near) == 1
    assert "aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb at" in near[0]
