"""Quality of the answers, as far as it is measured."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, PACE, Page, Panel, Query, Row, rate

QUALITY: Final = Page(
    "sightglass-quality",
    "Sightglass: quality",
    "What a judge says of a sample of the answers; `quality.judge` in the settings switches it on.",
    (
        Row(
            "Judge",
            (
                Panel(
                    "Grade, by model",
                    "Mean grade from 0 to 1.",
                    "percentunit",
                    (
                        Query(
                            f"sum by (model) (rate(sightglass_judge_grade_sum{{{MODEL}}}[{PACE}]))"
                            f" / sum by (model) (rate(sightglass_judge_grade_count{{{MODEL}}}[{PACE}]))",
                            "{{model}}",
                        ),
                    ),
                    width=12,
                    needs="a judge",
                    none="no judge is set",
                ),
                Panel(
                    "What became of the answers",
                    "judged; unreadable: the reply holds no grade; failed: no reply; dropped: too many waited.",
                    "reqps",
                    (rate("sightglass_judge_answers_total", JOB, "fate"),),
                    "stacked",
                    12,
                ),
            ),
        ),
    ),
)
