"""The judge: another model that grades a sample of answers, when there is one."""

from __future__ import annotations

from typing import Final

from proxy.observe.definitions.forms import counter, histogram, words

JUDGE_GRADE: Final = histogram(
    "sightglass_judge_grade",
    "Grade from 0 to 1 that the judge gave to an answer, by the model that answered.",
    "model",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
JUDGE_ANSWERS: Final = counter(
    "sightglass_judge_answers_total",
    "Answers chosen for the judge, by what became of them: judged, unreadable (its reply holds no grade), failed (no"
    " reply), dropped (too many waited).",
    "fate",
    known=words(("judged", "unreadable", "failed", "dropped")),
)
