"""The observer was away: how fast does it catch up, and is each call there once?

    python -m bench.backlog [--calls 360000] [--json FILE]

Two real calls (one plain, one streamed) are made through a real `sightglass serve` whose observer is stopped; their
frames, as the relay wrote them, are repeated under new ids and times until the journal holds `calls`, as if the
observer had been away for an hour at 100 calls a second. Then `sightglass serve` starts, and the ledger is watched.
Processor time is the observer's own; wall time depends on who else uses the machine, so both are told.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from bench.processes import cpu_ns
from bench.product import Product
from proxy.core.config import Journal
from proxy.core.exchange import Finished, Started
from proxy.journal import frames
from proxy.journal.counters import Counter
from proxy.journal.reader import JournalReader
from proxy.journal.writer import JournalWriter
from proxy.relay.call import new_call_id

WANTED_S: Final = 60.0
RATE: Final = 100.0
_AT_ONCE: Final = 50  # calls in one write


async def real_calls(product: Product) -> list[frames.Frame]:
    """Frames of a plain and of a streamed call as the relay wrote them, observer stopped."""
    for pid in product.pids("observer"):
        os.kill(pid, signal.SIGSTOP)
    async with aiohttp.ClientSession() as session:
        for stream in (False, True):
            body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "x " * 250}]}
            async with session.post(f"{product.url}/v1/chat/completions", json=body) as answer:
                assert (await answer.read()).endswith(b"data: [DONE]\n\n" if stream else b"}\n")
    reader = JournalReader(product.data / "journal", {})
    found = [frame for _, frame in reader.read(most=100).frames]
    reader.close()
    return found


def fill(journal: Path, found: list[frames.Frame], calls: int) -> int:
    """Write `calls` calls into a new journal. Gives its bytes."""
    writer = JournalWriter(journal, worker=0, settings=Journal(max_bytes=64 << 30))
    begins = [frame for frame in found if frame.kind == frames.STARTED]
    ends = [frame for frame in found if frame.kind == frames.FINISHED]
    began_ns = time.time_ns() - int(calls / RATE * 1e9)
    size, entries = 0, []
    for number in range(calls):
        at = began_ns + int(number / RATE * 1e9)
        call_id = new_call_id(at)
        for kind, frame, meta in (
            (frames.STARTED, begins[number % 2], Started),
            (frames.FINISHED, ends[number % 2], Finished),
        ):
            entries.append((kind, call_id, _again(frame, meta, call_id, at, writer.salt)))
        if len(entries) >= 2 * _AT_ONCE or number == calls - 1:
            size += sum(len(buffer) for entry in entries for buffer in entry[2])
            writer.append(entries)
            entries = []
    writer.counters.words[Counter.CALLS] = writer.counters.words[Counter.ENDED] = calls
    assert writer.counters.words[Counter.FINISHED_FRAMES] == calls, "the journal's disk did not take all of it"
    writer.close()
    return size


def _again(frame: frames.Frame, meta: type[Started], call_id: str, at_unix_ns: int, salt: int) -> list[bytes]:
    notes = msgspec.json.decode(frame.meta, type=meta)
    notes.call_id = notes.request_id = call_id
    notes.started_unix_ns = at_unix_ns
    return frames.encode(
        frame.kind,
        msgspec.json.encode(notes),
        salt,
        request_head=frame.request_head,
        request_body=frame.request_body,
        answer_head=frame.answer_head,
        answer_body=frame.answer_body,
        pieces=frame.pieces,
    )


def catch_up(product: Product, calls: int) -> dict[str, Any]:
    """Serve, and watch the ledger until it has them all."""
    product.serve()
    product.wait_serving()
    while not (observers := product.pids("observer")):
        time.sleep(0.01)
    observer = observers[0]
    began, cpu = time.monotonic(), cpu_ns(observer)
    count = 0
    while not (product.data / "ledger.sqlite3").exists() and time.monotonic() < began + WANTED_S:
        time.sleep(0.01)
    with closing(sqlite3.connect(f"file:{product.data}/ledger.sqlite3?mode=ro", uri=True)) as ledger:
        while count < calls and time.monotonic() < began + 20 * WANTED_S:
            time.sleep(0.2)
            try:
                (count,) = ledger.execute("SELECT max(seq) FROM calls").fetchone()
            except sqlite3.OperationalError:
                continue
            count = count or 0
        took_s, cpu_us = time.monotonic() - began, (cpu_ns(observer) - cpu) / 1000
        found, unlike = ledger.execute("SELECT count(*), count(DISTINCT call_id) FROM calls").fetchone()
    return {
        "calls": calls,
        "records": found,
        "double": found - unlike,
        "wall_s": round(took_s, 1),
        "calls_a_second": round(found / took_s),
        "observer_cpu_us_a_call": round(cpu_us / max(found, 1), 1),
        "observer_cores": round(cpu_us / 1e6 / took_s, 2),
        "an_hour_takes_s_of_one_core": round(360_000 * cpu_us / max(found, 1) / 1e6, 1),
    }


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=360_000)
    parser.add_argument("--json", type=Path, help="the figures, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        try:
            product.start_model()
            product.serve()
            product.wait_serving()
            found = asyncio.run(real_calls(product))
            product.kill("all")  # it starts again: the new one ends below
            assert product.supervisor is not None
            product.supervisor.terminate()
            product.supervisor.wait(30)
            shutil.rmtree(product.data)
            size = fill(product.data / "journal", found, options.calls)
            print(f"{options.calls} calls, {size / 1e6:.0f} MB of journal", file=sys.stderr, flush=True)
            figures = {"journal_mb": round(size / 1e6), **catch_up(product, options.calls)}
        finally:
            product.stop()
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)
    sys.exit(0 if figures["records"] == options.calls and not figures["double"] else 1)


if __name__ == "__main__":
    main()
