"""Tokens a second: only where both tokens and time are known."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from proxy.observe.speed import tokens_per_second
from tests.observe.test_metrics import CALL

STREAM = replace(CALL, completion_tokens=11, generation_s=None, first_token_s=1.0, duration_s=3.0, piece_gap_p50_s=0.2)


def test_ollamas_own_time_wins() -> None:
    assert tokens_per_second(replace(STREAM, generation_s=0.5)) == 22


def test_a_stream_from_its_first_token_to_its_end() -> None:
    assert tokens_per_second(STREAM) == 5


@pytest.mark.parametrize(
    "unknown",
    [
        {"completion_tokens": None},
        {"completion_tokens": 1},
        {"tokens_source": "estimated"},
        {"first_token_s": None},
        {"duration_s": None},
        {"duration_s": 1.0},
        {"piece_gap_p50_s": None},
    ],
)
def test_not_known(unknown: dict[str, Any]) -> None:
    assert tokens_per_second(replace(STREAM, **unknown)) is None
