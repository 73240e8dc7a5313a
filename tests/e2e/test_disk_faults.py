"""The journal's disk is full, stalls, or fails: calls go on, what can be kept is kept, and the rest is counted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import pytest

from bench.product import Product
from tests.e2e.conftest import running
from tests.e2e.faults import Calls, health, until_healthy
from tests.programs import leave_out, require_program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """8 MiB for journal and ledger, when we may mount."""
    place = tmp_path / "data"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        leave_out("a tmpfs cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def cramped(tmp_path: Path, small_disk: Path) -> Iterator[Product]:
    """On the small disk, with little memory to wait in."""
    assert small_disk == tmp_path / "data"
    env = {"SIGHTGLASS_JOURNAL__BACKLOG_BYTES": "200000"}
    yield from running(Product(tmp_path, env=env))


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


@contextmanager
def traced(pid: int, path: Path, *inject: str) -> Iterator[None]:
    """System calls of a process on one file, made slow or failing by strace."""
    options = [option for each in inject for option in ("-e", f"inject={each}")]
    argv = [require_program("strace"), "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-P", str(path), *options]
    tracer = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        with open(f"/proc/{pid}/status") as status:
            status.read()
        for _ in range(100):
            if f"TracerPid:\t{tracer.pid}\n" in Path(f"/proc/{pid}/status").read_text():
                break
            if tracer.poll() is not None:
                assert tracer.stderr is not None
                leave_out(f"strace cannot trace here: {tracer.stderr.read().strip()}")
            signal.sigtimedwait([], 0.1)
        yield
    finally:
        tracer.terminate()
        tracer.wait(10)
        assert tracer.stderr is not None
        tracer.stderr.close()


def segment(product: Product) -> Path:
    """Where the relay writes now."""
    return max(product.data.glob("journal/*/*.segment"), key=os.path.getmtime)


async def test_a_full_disk_keeps_what_fits_into_memory_counts_the_rest_and_resumes(cramped: Product) -> None:
    calls = Calls(cramped)
    await calls.send(20)
    await calls.recorded(within_s=60)
    ballast = cramped.data / "ballast"
    fill(ballast)

    await calls.send(100, text="hello " * 500)  # about 1 MB of frames
    said = await asyncio.to_thread(health, cramped)
    ballast.unlink()
    await until_healthy_but_lost(cramped)
    lost = (await asyncio.to_thread(health, cramped))["observer"]["calls_lost"]["journal"]
    await calls.recorded(within_s=60, lost=lost)
    before = len(calls.whole)
    await calls.send(20)
    await calls.recorded(within_s=60, lost=lost)

    assert calls.failed == []
    assert said["journal"]["last_error"] == "No space left on device"
    assert said["journal"]["writing"] == "backlog"
    assert said["journal"]["backlog_bytes"] <= 200_000
    assert 0 < lost < 100
    assert len({row["request_id"] for row in cramped.rows()}) == len(calls.whole) - lost
    assert len(calls.whole) == before + 20


async def until_healthy_but_lost(product: Product) -> None:
    """Wait until frames go to the disk at once again, and the losses were told."""
    async with asyncio.timeout(60):
        while True:
            said = await asyncio.to_thread(health, product)
            if said["journal"]["writing"] == "direct" and said["observer"]["calls_lost"]["journal"]:
                return
            await asyncio.sleep(0.2)


async def test_a_disk_that_stalls_every_write_holds_one_up_and_the_rest_flow(product: Product) -> None:
    calls = Calls(product)
    await calls.send(20)
    await calls.recorded(within_s=60)

    with traced(product.pids("relay")[0], segment(product), "writev:delay_exit=1000000"):
        await calls.send(2)
        took = await calls.send(100, rate=25)
        said = await asyncio.to_thread(health, product)
    await calls.recorded(within_s=60)

    assert calls.failed == []
    assert median(took) < 0.5  # one delayed write takes a second, and each call makes two
    assert said["journal"]["writing"] == "backlog"
    assert said["journal"]["write_stalls"] >= 2
    assert said["journal"]["frames_lost"] == {"started": 0, "finished": 0}
    await until_healthy(product, "journal")


async def test_an_io_error_on_write_is_counted_and_told_and_nothing_is_lost(product: Product) -> None:
    calls = Calls(product)
    await calls.send(20)
    await calls.recorded(within_s=60)

    with traced(product.pids("relay")[0], segment(product), "writev:error=EIO"):
        await calls.send(40)
        said = await asyncio.to_thread(health, product)
    await calls.recorded(within_s=60)

    assert calls.failed == []
    assert said["journal"]["write_errors"] >= 1
    assert said["journal"]["last_error"] == "Input/output error"
    await until_healthy(product, "journal")


async def test_an_io_error_on_fsync_is_counted_and_told_and_nothing_is_lost(tmp_path: Path) -> None:
    for product in running(Product(tmp_path, env={"SIGHTGLASS_JOURNAL__FSYNC": "true"})):
        calls = Calls(product)
        await calls.send(20)
        await calls.recorded(within_s=60)

        with traced(product.pids("relay")[0], segment(product), "fdatasync:error=EIO"):
            await calls.send(20)
            said = await asyncio.to_thread(health, product)
        await calls.recorded(within_s=60)

        assert calls.failed == []
        assert said["journal"]["write_errors"] >= 1


async def test_flipped_bytes_cost_the_frames_they_hit_and_no_other(product: Product) -> None:
    calls = Calls(product)
    await calls.send(10)
    await calls.recorded(within_s=60)
    for pid in product.pids("observer"):
        os.kill(pid, signal.SIGSTOP)
    file = segment(product)
    start = file.stat().st_size
    await calls.send(30)
    with file.open("r+b") as damaged:
        damaged.seek((start + file.stat().st_size) // 2)
        damaged.write(b"\xff" * 16)
    for pid in product.pids("observer"):
        os.kill(pid, signal.SIGCONT)

    await calls.recorded(within_s=60, lost=1)

    said = await asyncio.to_thread(health, product)
    assert calls.failed == []
    assert said["journal"]["damaged_frames"] == 1
    await calls.send(5)
    await calls.recorded(within_s=60, lost=1)
