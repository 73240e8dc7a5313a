"""Drift in health and on the page: how many routes and models are watched, and which alarms stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from proxy.analyse.drift.live import DriftReport
from proxy.core.call_json import rfc3339
from proxy.core.event import Event

ALARMS_SHOWN: Final = 20
PROBLEMS_TOLD: Final = 5
_WORDS: Final = {
    "output": "answers are not what they were",
    "input": "prompts are not what they were",
    "share": "a fault of answers is commoner",
    "latency": "answers take longer",
    "exact": "another model or version answers",
}


def drift_part(report: DriftReport | None) -> dict[str, Any]:
    """The part of /health. None = the detector is off."""
    if report is None:
        return {"enabled": False, "lanes": {}, "alarms": [], "alarms_standing": 0}
    # Newest first; other prompts last: they shall not crowd out what is trouble.
    newest = sorted(report.alarms, key=lambda event: (event.details.get("kind") == "input", -event.event_id))
    return {
        "enabled": True,
        "lanes": report.states,
        "alarms_standing": len(report.alarms),
        "alarms": [_alarm(event) for event in newest[:ALARMS_SHOWN]],
    }


def drift_problems(alarms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong, a sentence for each route and model. Other prompts are no trouble of ours or of the model."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for alarm in alarms:
        if alarm["kind"] != "input":
            lane = (alarm["model"] or "A model", str(alarm["route"]))
            wrong.setdefault(lane, []).append(f"{_words(alarm)} (event {alarm['event_id']}: {alarm['subject']})")
    for (model, route), changes in list(wrong.items())[:PROBLEMS_TOLD]:
        yield f"{model} at {route} is not what it was: {', '.join(changes)}. sightglass drift explain EVENT says more."
    if len(wrong) > PROBLEMS_TOLD:
        yield f"So are {len(wrong) - PROBLEMS_TOLD} more; sightglass drift status shows all."


def drift_section(report: Mapping[str, Any]) -> str:
    """A heading, a sentence and a table of the alarms; empty where nothing is watched."""
    part = report["drift"]
    if not part["enabled"] or not (any(part["lanes"].values()) or part["alarms"]):
        return ""
    said = ", ".join(f"{count:,} {state}" for state, count in part["lanes"].items() if count)
    watched = f"<p>Routes and models that answered since this start: {escape(said)}.</p>\n" if said else ""
    return f"<section>\n<h2>Drift</h2>\n{watched}{_table(part)}</section>\n"


def _table(part: Mapping[str, Any]) -> str:
    if not part["alarms"]:
        return ""
    titles = "".join(f"<th>{title}</th>" for title in ("Event", "At", "Model", "Route", "What", "Severity", "Change"))
    rows = "\n".join(_row(alarm) for alarm in part["alarms"])
    more = part["alarms_standing"] - len(part["alarms"])
    rest = f"<p>And {more:,} more.</p>\n" if more > 0 else ""
    return (
        f'<div class="wide"><table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>\n{rest}'
        "<p><code>sightglass drift explain EVENT</code> says more; <code>sightglass drift accept EVENT</code> takes it"
        " for the new normal.</p>\n"
    )


def _row(alarm: Mapping[str, Any]) -> str:
    change = f"{alarm['before']} → {alarm['after']}" if alarm["before"] else "–"
    word = "plain" if alarm["kind"] == "input" else "bad"
    return (
        f"<tr><td>{alarm['event_id']}</td><td>{escape(alarm['at'][:19].replace('T', ' '))} UTC</td>"
        f"<td>{escape(alarm['model'] or '–')}</td><td><code>{escape(str(alarm['route']))}</code></td>"
        f'<td><span class="{word}">{escape(_words(alarm))}</span> <small>{escape(str(alarm["subject"]))}</small></td>'
        f"<td>{escape(str(alarm['severity']))}</td><td>{escape(change)}</td></tr>"
    )


def _alarm(event: Event) -> dict[str, Any]:
    told = event.details
    return {
        "event_id": event.event_id,
        "at": rfc3339(event.at_unix_ns),
        "model": event.model,
        "before": event.before,
        "after": event.after,
        **{name: told.get(name) for name in ("route", "kind", "subject", "severity", "since_call_id")},
    }


def _words(alarm: Mapping[str, Any]) -> str:
    return _WORDS.get(str(alarm["kind"]), "something changed")
