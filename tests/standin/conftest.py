"""A running stand-in for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.standin.server import StandIn

from .peer import WIRE


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with StandIn(recordings=WIRE) as running:
        yield running
