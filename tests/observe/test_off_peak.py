"""Hours with other prices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.observe.off_peak import OffPeak


@pytest.mark.parametrize(
    ("block", "moment", "expected"),
    [
        ({"hours_utc": "16:30-00:30"}, "2025-11-21T16:30", True),
        ({"hours_utc": "16:30-00:30"}, "2025-11-21T00:29", True),
        ({"hours_utc": "16:30-00:30"}, "2025-11-21T00:30", False),
        ({"hours_utc": ["01:00-02:00", "04:00-06:00"]}, "2025-11-21T05:59", True),
        ({"hours_utc": ["01:00-02:00", "04:00-06:00"]}, "2025-11-21T03:00", False),
        ({"hours_utc": "00:00-00:00"}, "2025-11-21T12:00", True),
        ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, 7]}]}, "2025-11-22T12:00", True),
        ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, 7]}]}, "2025-11-21T12:00", False),
        ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": ["Sat", "sunday"]}]}, "2025-11-23T12:00", True),
        # 18:00 UTC on a Friday is Saturday in Shanghai
        (
            {"weekday_timezone": "Asia/Shanghai", "windows": [{"hours_utc": "17:00-19:00", "weekdays": [6]}]},
            "2025-11-21T18:00",
            True,
        ),
        (
            {"hours_utc": ["garbage", "1-2-3", 5, "25:00-26:00"], "windows": ["x", {}, {"hours_utc": 3}]},
            "2025-11-21T00:00",
            False,
        ),
        ({"weekday_timezone": "No/Where", "hours_utc": "00:00-01:00"}, "2025-11-21T00:00", True),
        ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": "mon"}]}, "2025-11-24T12:00", False),
        ({}, "2025-11-21T00:00", False),
    ],
)
def test_windows(block: dict[str, Any], moment: str, expected: bool):
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()

    assert OffPeak(block).open_at(at) is expected
