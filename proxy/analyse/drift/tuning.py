"""Tuning: what is decided once, from many clean streams of many models. docs/drift.md says how."""

from __future__ import annotations

from typing import Final

import msgspec

from proxy.core.config import Drift


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """`extra`: evidence in nats that a kind needs above the logarithm of the budget."""

    warm_up: int = 500  # answers
    joint_scales: tuple[float, ...] = (4.0, 1.0, 0.25)
    single_scales: tuple[float, ...] = (2.0, 0.3)
    block: int = 25
    shrink: float = 0.4
    wander: float = 2.0
    joint_extra: float = 3.5
    single_extra: float = 2.0
    share_extra: float = 0.8
    share_soft: float = 2.0  # more, for faults that sound answers have, too
    share_doubt: float = 8.0  # more, for faults that depend on the prompts, while these may have changed
    latency_extra: float = 2.0
    latency_tolerance: float = 0.22
    input_scales: tuple[float, ...] = (1.0, 0.25)
    input_floor: float = 0.1  # variance of moves of the prompts in directions that the baseline's topics do not show
    input_shrink: float = 0.3
    input_wander: float = 1.2
    input_extra: float = 5.0
    input_again: float = 5.0  # more, for each time that the prompts changed and were then as before: a swing
    input_doubt: float = 3.0  # evidence of other prompts from which output alarms wait
    quiet: int = 160  # answers without evidence after which an alarm has recovered


DEFAULT: Final = Tuning()


def tuned(settings: Drift) -> Tuning:
    """As the settings want it."""
    return msgspec.structs.replace(
        DEFAULT, warm_up=settings.warm_up_answers, latency_tolerance=settings.latency_tolerance
    )
