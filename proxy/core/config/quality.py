"""Quality of answers, and drift of models."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Seconds, Section


class Judge(Section, frozen=True, kw_only=True):
    """Another model that grades a sample of answers. Off until a model is named; its calls cost what calls cost."""

    model: Annotated[
        str | None, Meta(description="Model that judges, as clients would ask for it here. Unset: nobody judges.")
    ] = None
    share: Annotated[Annotated[float, Meta(ge=0, le=1)], Meta(description="Share of good answers that are judged.")] = (
        0.02
    )
    per_minute: Annotated[
        Annotated[float, Meta(gt=0, le=600)],
        Meta(description="Most calls to the judge; one at a time. 32 answers wait, what comes then is dropped."),
    ] = 6.0
    timeout_s: Annotated[Seconds, Meta(description="Longest wait for the judge.")] = 60.0
    prompt: Annotated[
        str | None,
        Meta(
            description="What the judge is told, with {prompt} and {response} in it; it must reply with a number from 0"
            " to 10. Unset: ours, see docs/quality.md."
        ),
    ] = None
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable with the key that the judge's calls bring, where we ask for one."),
    ] = None


class Quality(Section, frozen=True, kw_only=True):
    """The score of each answer: docs/quality.md."""

    scorers: Annotated[
        tuple[str, ...],
        Meta(
            description="Scorers of your own, as my_module:MyScorer, importable by the observer. Each adds a part to"
            " the score. They run as code of Sightglass: name only what you trust."
        ),
    ] = ()
    judge: Judge = Judge()


class Drift(Section, frozen=True, kw_only=True):
    """Notice that the model behind a route changed: docs/drift.md."""

    enabled: Annotated[
        bool, Meta(description="Look at each answer, off everybody's path, and tell when a model changed.")
    ] = True
    false_alarm_days: Annotated[
        Annotated[float, Meta(gt=0, le=3650)],
        Meta(description="One false alarm in so many days is accepted, all routes and models together."),
    ] = 30.0
    warm_up_answers: Annotated[
        Annotated[int, Meta(ge=200, le=2000)],
        Meta(
            description="Answers that a baseline is first learned from; it grows to three times as many, at most"
            " 1,500. Fewer: on watch sooner, small changes found later."
        ),
    ] = 500
    latency_tolerance: Annotated[
        Annotated[float, Meta(ge=0.05, le=5)],
        Meta(description="Slower by less than this share, for as many tokens and as much load, is no alarm."),
    ] = 0.22
