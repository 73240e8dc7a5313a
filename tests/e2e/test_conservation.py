"""`sightglass doctor --ledger` proves on a live system that no call is missing, and notices when one is."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bench.product import Product
from tests.e2e.faults import Calls

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

COMMAND = str(Path(sys.executable).with_name("sightglass"))


def ask(product: Product) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit status, and about -> (mark, found)."""
    argv = [COMMAND, "doctor", "--ledger", "--json", "--data", str(product.data)]
    argv += ["--console-port", str(product.console_port)]
    asked = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    told: dict[str, Any] = json.loads(asked.stdout)
    return asked.returncode, {each["about"]: (each["mark"], each["found"]) for each in told["findings"]}


async def test_the_law_holds_under_traffic_after_kills_and_a_missing_record_is_noticed(product: Product) -> None:
    calls = Calls(product)
    traffic = asyncio.ensure_future(calls.send(250, rate=25))
    await asyncio.sleep(2)

    status, found = await asyncio.to_thread(ask, product)

    assert (status, found["relay 0"][0], found["ledger"][0], found["metric"][0]) == (0, "ok", "ok", "ok"), found
    await traffic

    for target in ("relay", "observer", "all"):
        traffic = asyncio.ensure_future(calls.send(60, rate=60))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(product.kill, target)
        await traffic
        product.wait_serving()
        await calls.recorded(within_s=60)
    await asyncio.sleep(1)
    status, found = await asyncio.to_thread(ask, product)
    assert status == 0, found
    assert [about for about, (mark, _) in found.items() if mark == "wrong"] == []
    assert "interrupted" in found["former relays"][1]

    with closing(sqlite3.connect(product.data / "ledger.sqlite3", timeout=10)) as ledger, ledger:
        ledger.execute("DELETE FROM calls WHERE seq = 1")
    status, found = await asyncio.to_thread(ask, product)
    assert (status, found["ledger"][0]) == (1, "wrong")
    assert "off by -1" in found["ledger"][1]
