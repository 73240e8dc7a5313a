"""kill -9 of any process, or of all, at random moments under 200 calls a second: nothing a client has is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.kill import play

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


async def test_twelve_kills_lose_nothing(tmp_path: Path) -> None:
    # How fast it is back is for the bench to say: on a busy machine a start takes many times its processor time.
    played = await play(12, seed=20261121, folder=tmp_path, back_within_s=20.0)

    assert [(each.target, each.troubles) for each in played if each.troubles] == []
    assert sum(each.whole for each in played) > 1000
