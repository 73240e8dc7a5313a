"""Numbers and times as Prometheus writes them."""

from __future__ import annotations

import pytest

from proxy.cli.rules.rule import number, window


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (300, "5m"),
        (86400, "1d"),
        (3 * 86400, "3d"),
        (5400, "1h30m"),
        (90, "1m30s"),
        (0, "0s"),
        (0.5, "500ms"),
        (1.5, "1s500ms"),
        (1e-6, "1ms"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert window(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(10.0, "10"), (0.01, "0.01"), (2147483648, "2147483648"), (14.4, "14.4")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
