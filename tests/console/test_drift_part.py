"""Drift in health and on the page: which alarms stand, in words, and nothing where nothing is watched."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser

from proxy.analyse.drift.live import DriftReport
from proxy.console.drift_part import ALARMS_SHOWN, PROBLEMS_TOLD, drift_part, drift_problems, drift_section
from proxy.core.event import Event
from tests.console.conftest import Stage

STATES = {"learning": 1, "calm": 2, "alarmed": 1}


def alarm(event_id: int, *, model: str = "chat", kind: str = "share", subject: str = "share:loop") -> Event:
    details = {"lane": "7", "route": "/api/chat", "kind": kind, "subject": subject, "severity": "high"}
    return Event(
        event_id=event_id, at_unix_ns=event_id * 10**9, kind="drift_raised", model=model, details=details,
        before="loop 0", after="loop 0.4",
    )  # fmt: skip


def part(alarms: Sequence[Event]) -> dict[str, object]:
    return drift_part(DriftReport(states=STATES, alarms=list(alarms)))


async def test_health_names_what_changed(stage: Stage) -> None:
    stage.health._drift = lambda: DriftReport(
        states=STATES, alarms=[alarm(3), alarm(4, kind="output", subject="output")]
    )

    report = stage.health.report()

    assert (report["status"], report["drift"]["status"], report["drift"]["lanes"]) == ("degraded", "degraded", STATES)
    [problem] = report["problems"]
    assert problem.startswith(
        "chat at /api/chat is not what it was: answers are not what they were (event 4: output), a"
    )
    assert [one["event_id"] for one in report["drift"]["alarms"]] == [4, 3]


async def test_a_detector_that_is_off_is_said_so(stage: Stage) -> None:
    report = stage.health.report()

    assert (report["drift"]["enabled"], report["drift"]["status"]) == (False, "ok")
    assert drift_section(report) == ""


def test_other_prompts_are_shown_and_are_no_trouble() -> None:
    told = part([alarm(1, kind="input", subject="input")])

    assert list(drift_problems(told["alarms"])) == []
    assert "prompts are not what they were" in drift_section({"drift": told})


def test_many_alarms_are_counted() -> None:
    told = part([alarm(at, model=f"m{at}") for at in range(1, 31)])
    problems = list(drift_problems(told["alarms"]))

    assert (len(told["alarms"]), told["alarms_standing"]) == (ALARMS_SHOWN, 30)
    assert len(problems) == PROBLEMS_TOLD + 1
    assert problems[-1] == "So are 15 more; sightglass drift status shows all."
    assert "And 10 more." in drift_section({"drift": told})


def test_other_prompts_do_not_crowd_out_trouble() -> None:
    told = part([alarm(1), *(alarm(at, kind="input", subject="input") for at in range(2, 40))])

    assert len(list(drift_problems(told["alarms"]))) == 1


def test_what_upstreams_wrote_stays_text() -> None:
    section = drift_section({"drift": part([alarm(1, model="<script>alert(1)</script>")])})
    tags: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)

    Tags().feed(section)

    assert "script" not in tags


def test_nothing_is_shown_before_the_first_answer() -> None:
    empty = drift_part(DriftReport(states=dict.fromkeys(STATES, 0), alarms=[]))

    assert drift_section({"drift": empty}) == ""
