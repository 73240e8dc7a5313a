"""Quality and drift: the score of answers, their hard faults, and what the detector makes of them."""

from __future__ import annotations

from typing import Final

from proxy.observe.definitions.forms import counter, gauge, histogram, words
from proxy.observe.quality.faults import NAMES

_KINDS: Final = ("output", "input", "share", "latency", "exact")  # as the detector's Kind
_SEVERITIES: Final = ("low", "medium", "high")

QUALITY: Final = histogram(
    "sightglass_quality_score",
    "Score of an answer from 0 to 1: its form, not its truth.",
    "model",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
QUALITY_PARTS: Final = counter(
    "sightglass_quality_part_sum_total",
    "Sum of a part of the score; divide its rate by that of sightglass_quality_part_answers_total.",
    "part",
)
QUALITY_PART_ANSWERS: Final = counter(
    "sightglass_quality_part_answers_total", "Answers that a part of the score is known of.", "part"
)
ANSWER_FAULTS: Final = counter(
    "sightglass_answer_faults_total", "Answers with a hard fault.", "fault", known=words(NAMES)
)
ANSWERS_UNSCORED: Final = counter(
    "sightglass_answers_unscored_total",
    "Answers that were not scored, as the observer caught up with a backlog: one in 16 is then, one in 64 far behind.",
)
DRIFT_EVENTS: Final = counter(
    "sightglass_drift_events_total",
    "Drift alarms raised, by what changed and how large the effect is.",
    "kind",
    "severity",
    known=words(_KINDS, _SEVERITIES),
)
DRIFT_EVIDENCE: Final = gauge(
    "sightglass_drift_evidence_ratio",
    "Evidence that a kind of signal is not as in the baseline, of what an alarm needs (1 = alarm);"
    " by route, model, digest.",
    "route",
    "model",
    "digest",
    "kind",
)
DRIFT_STATE: Final = gauge(
    "sightglass_drift_state",
    "0 learning its baseline, 1 calm, 2 alarmed, by route, model and the begin of its digest.",
    "route",
    "model",
    "digest",
)
DRIFT_BASELINE_ANSWERS: Final = gauge(
    "sightglass_drift_baseline_answers",
    "Answers that the last ones are compared with: grows while nothing is told; by route, model and digest.",
    "route",
    "model",
    "digest",
)
DRIFT_BASELINE: Final = gauge(
    "sightglass_drift_baseline_version",
    "Which baseline is in force, 0 = none yet, by route, model and digest.",
    "route",
    "model",
    "digest",
)
