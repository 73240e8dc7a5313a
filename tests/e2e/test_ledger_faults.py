"""The ledger is locked, damaged, foreign or newer: calls go on, nothing is lost, and it is told what to do."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.product import Product
from tests.e2e.faults import Calls, health, until_healthy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def ledger(product: Product) -> Path:
    return product.data / "ledger.sqlite3"


async def test_a_ledger_locked_for_30_s_loses_nothing_and_is_up_to_date_after(product: Product) -> None:
    calls = Calls(product)
    await calls.send(20)
    await calls.recorded(within_s=60)

    with closing(sqlite3.connect(ledger(product), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        await calls.send(300, rate=10)
        said = await asyncio.to_thread(health, product)
        other.execute("ROLLBACK")
    await calls.recorded(within_s=60)

    assert calls.failed == []
    assert said["ledger"]["status"] == "failing"
    assert "locked" in said["ledger"]["error"]
    await until_healthy(product, "ledger")


async def test_a_ledger_damaged_while_serving_is_told_and_recover_loses_nothing(product: Product) -> None:
    calls = Calls(product)
    await calls.send(20)
    await calls.recorded(within_s=60)
    before = Calls(product)
    before.whole, calls.whole = dict(calls.whole), {}
    for pid in product.pids("observer"):  # it would hold the pages in its cache
        ledger(product).write_bytes(b"damaged" * 4096)
        Path(f"{ledger(product)}-wal").unlink(missing_ok=True)
        product.kill_pid(pid)

    await calls.send(40)
    async with asyncio.timeout(60):
        while (said := await asyncio.to_thread(health, product))["ledger"]["status"] != "failing":
            await asyncio.sleep(0.1)
    assert "serve --recover" in said["ledger"]["error"]
    await calls.send(40)
    assert product.supervisor is not None
    product.supervisor.terminate()
    product.supervisor.wait(60)

    product.serve()
    refused = product.supervisor.wait(60)
    product.serve("--recover")
    product.wait_serving()
    await calls.send(20)
    await calls.recorded(within_s=60)

    log = (product.folder / "sightglass.log").read_text()
    assert calls.failed == []
    assert refused == 1
    assert "cannot be used: it is no SQLite file, or damaged" in log
    assert "moved aside to" in log
    assert [path.read_bytes()[:7] for path in product.data.glob("*.aside-*Z")] == [b"damaged"]


async def test_a_newer_ledger_is_refused_and_recover_begins_anew(product: Product) -> None:
    assert product.supervisor is not None
    product.supervisor.terminate()
    product.supervisor.wait(60)
    with closing(sqlite3.connect(ledger(product))) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")

    product.serve()
    refused = await asyncio.to_thread(product.supervisor.wait, 60)
    product.serve("--recover")
    product.wait_serving()
    calls = Calls(product)
    await calls.send(10)
    await calls.recorded(within_s=60)

    assert refused == 1
    assert "written by a newer Sightglass (schema 9999" in (product.folder / "sightglass.log").read_text()


async def test_an_older_ledger_is_carried_over_with_its_calls(product: Product) -> None:
    from proxy.store.engine import make_private, writer_engine
    from proxy.store.versions import MIGRATIONS

    assert product.supervisor is not None
    product.supervisor.terminate()
    product.supervisor.wait(60)
    for path in product.data.glob("ledger.sqlite3*"):
        path.unlink()
    make_private(ledger(product))
    engine = writer_engine(ledger(product), fsync=False)
    with engine.begin() as connection:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()

    product.serve()
    product.wait_serving()
    calls = Calls(product)
    await calls.send(10)
    await calls.recorded(within_s=60)

    assert calls.failed == []


async def test_a_ledger_taken_away_while_serving_begins_anew(product: Product) -> None:
    calls = Calls(product)
    await calls.send(10)
    await calls.recorded(within_s=60)
    for path in product.data.glob("ledger.sqlite3*"):
        path.unlink()
    calls.whole.clear()

    await calls.send(20)
    await calls.recorded(within_s=60)

    assert calls.failed == []
