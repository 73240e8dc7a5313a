"""Quality of the answers, as far as it is measured."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, PACE, RED, Page, Panel, Query, Row, quantiles, rate, within

QUALITY: Final = Page(
    "sightglass-quality",
    "Sightglass: quality",
    "The score of each answer, hard faults, what the drift detector makes of them, and what a judge says of a sample.",
    (
        Row(
            "Score",
            (
                Panel(
                    "Score, by model",
                    "Mean from 0 to 1. It reads the form of an answer, not its truth.",
                    "percentunit",
                    (
                        Query(
                            f"sum by (model) (rate(sightglass_quality_score_sum{{{MODEL}}}[{PACE}]))"
                            f" / sum by (model) (rate(sightglass_quality_score_count{{{MODEL}}}[{PACE}]))",
                            "{{model}}",
                        ),
                    ),
                ),
                Panel(
                    "Score of the middle answer and of the worst",
                    "Of the chosen models: half of the answers score less than p50, five of a hundred less than p5.",
                    "percentunit",
                    quantiles("sightglass_quality_score", MODEL, of=(0.5, 0.05)),
                ),
                Panel(
                    "Parts of the score",
                    "Mean of each part over the answers that it is known of, all models together.",
                    "percentunit",
                    (
                        Query(
                            f"sum by (part) (rate(sightglass_quality_part_sum_total{{{JOB}}}[{PACE}]))"
                            f" / sum by (part) (rate(sightglass_quality_part_answers_total{{{JOB}}}[{PACE}]))",
                            "{{part}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Faults",
            (
                Panel(
                    "Answers with a fault",
                    "Share of all answers that have it, by fault; an answer may have several.",
                    "percentunit",
                    (
                        Query(
                            f"sum by (fault) (rate(sightglass_answer_faults_total{{{JOB}}}[{PACE}]))"
                            f" / on () group_left () sum(rate(sightglass_quality_score_count{{{JOB}}}[{PACE}]))",
                            "{{fault}}",
                        ),
                    ),
                    width=16,
                ),
                Panel(
                    "Faults within the time that is looked at",
                    "Answers, by fault.",
                    "short",
                    (within("sightglass_answer_faults_total", JOB, "fault"),),
                    "number",
                    8,
                ),
            ),
        ),
        Row(
            "Drift",
            (
                Panel(
                    "Alarmed",
                    "Routes and models whose answers are not as in their baseline; `sightglass drift` tells more.",
                    "short",
                    (Query(f"count(sightglass_drift_state{{{MODEL}}} == 2) or vector(0)", "alarmed"),),
                    "number",
                    6,
                    ((1, RED),),
                ),
                Panel(
                    "On watch",
                    "Routes and models with a baseline and no alarm.",
                    "short",
                    (Query(f"count(sightglass_drift_state{{{MODEL}}} == 1) or vector(0)", "calm"),),
                    "number",
                    6,
                ),
                Panel(
                    "Learning",
                    "Routes and models whose baseline needs more answers: drift.warm_up_answers.",
                    "short",
                    (Query(f"count(sightglass_drift_state{{{MODEL}}} == 0) or vector(0)", "learning"),),
                    "number",
                    6,
                ),
                Panel(
                    "Alarms raised",
                    "Within the time that is looked at.",
                    "short",
                    (within("sightglass_drift_events_total", JOB, legend="alarms"),),
                    "number",
                    6,
                    ((1, RED),),
                ),
                Panel(
                    "Evidence",
                    "Of what an alarm needs: at 1 there is one. The kind that has most, by route and model.",
                    "percentunit",
                    (
                        Query(
                            f"max by (route, model) (sightglass_drift_evidence_ratio{{{MODEL}}})",
                            "{{model}} {{route}}",
                        ),
                    ),
                    width=12,
                    limits=((1, RED),),
                    needs="a drift baseline",
                    none="no baseline yet",
                ),
                Panel(
                    "State",
                    "0: learning its baseline, 1: calm, 2: alarmed.",
                    "short",
                    (Query(f"max by (route, model) (sightglass_drift_state{{{MODEL}}})", "{{model}} {{route}}"),),
                    width=12,
                ),
                Panel(
                    "Alarms, by kind and size",
                    "What changed, and how large the effect is.",
                    "short",
                    (within("sightglass_drift_events_total", JOB, "kind", "severity"),),
                    "stacked",
                    12,
                ),
                Panel(
                    "Baseline",
                    "Which one is in force; 0: none yet. It steps when a change was accepted.",
                    "short",
                    (
                        Query(
                            f"max by (route, model) (sightglass_drift_baseline_version{{{MODEL}}})",
                            "{{model}} {{route}}",
                        ),
                    ),
                    width=12,
                ),
            ),
        ),
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
