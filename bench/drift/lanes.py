"""Many routes and models at once, live: what the detector costs over a real ledger. `python -m bench.drift.lanes`.

Answers of all lanes come mixed, as calls do. Their numbers are by lot (and about as dear as real ones): the processor
time of reading rows, watching, rebuilding after a restart and writing events is what is measured here, and memory.
"""

from __future__ import annotations

import argparse
import gc
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from proxy.analyse.drift.watching import DriftWatch
from proxy.core.call import CallRecord
from proxy.core.config import Drift
from proxy.core.signal_row import SignalRow
from proxy.observe.guards import Guards
from proxy.observe.quality.signals import NAMES, PROMPT_NAMES
from proxy.store import Batch, Ledger, open_ledger


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drift.lanes", description=__doc__)
    parser.add_argument("--lanes", type=int, default=500)
    parser.add_argument("--answers", type=int, default=700, help="of each lane")
    parser.add_argument("--data", type=Path, help="where the ledger is made; default: a temporary directory")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, open_ledger(options.data or Path(folder)) as ledger:
        _measure(ledger, options.lanes, options.answers)


def _measure(ledger: Ledger, lanes: int, answers: int) -> None:
    dice = np.random.default_rng(3)
    watch = DriftWatch(Drift(), Guards())
    watch.turn(ledger)
    resident, spent_s, longest, count = _resident_bytes(), 0.0, (0.0, 0.0), 0
    for _ in range(answers):
        order = dice.permutation(lanes)
        ledger.commit(Batch(calls=[_call(dice, count + place, int(lane)) for place, lane in enumerate(order)]))
        count += lanes
        took_s, turn = _watched(watch, ledger)
        spent_s, longest = spent_s + took_s, max(longest, turn)
    gc.collect()
    states = [state.state for state in watch.states()]
    taken = _resident_bytes() - resident
    print(f"{lanes} lanes, {answers} answers each: {taken / lanes / 1e6:.2f} MB a lane,", end=" ")
    print(f"{1e6 * spent_s / count:.0f} us of CPU an answer, longest turn {_turn(longest)},", end=" ")
    print(f"{states.count('alarmed')} alarmed, {states.count('learning')} learning")

    again = DriftWatch(Drift(), Guards())
    ledger.commit(Batch(calls=[_call(dice, count + lane, lane) for lane in range(lanes)]))
    again.deliver([True])
    spent_s, longest = _watched(again, ledger)
    print(f"after a restart: {1000 * spent_s / lanes:.0f} ms of CPU a lane to come back, longest turn", end=" ")
    print(f"{_turn(longest)}; most memory of the process", end=" ")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _watched(watch: DriftWatch, ledger: Ledger) -> tuple[float, tuple[float, float]]:
    """CPU time until all rows are read, and the longest turn of these: seconds, and of CPU time in it."""
    watch.deliver([True])
    spent_s, longest = 0.0, (0.0, 0.0)
    while not watch.idle:
        begun, wall = time.thread_time(), time.monotonic()
        watch.turn(ledger)
        took_s = time.thread_time() - begun
        spent_s += took_s
        longest = max(longest, (time.monotonic() - wall, took_s))
    return spent_s, longest


def _turn(turn: tuple[float, float]) -> str:
    return f"{1000 * turn[0]:.0f} ms ({1000 * turn[1]:.0f} of CPU)"


def _call(dice: np.random.Generator, number: int, lane: int) -> CallRecord:
    numbers = dice.normal(size=len(NAMES) + len(PROMPT_NAMES)).astype("<f4")
    return CallRecord(
        call_id=f"c{number}", request_id=f"r{number}", started_unix_ns=number * 10**9, route="/v1/chat/completions",
        dialect="openai_chat", method="POST", outcome="ok", model=f"model-{lane}", duration_s=float(dice.gamma(4, 0.2)),
        completion_tokens=int(dice.integers(20, 200)), prompt_tokens=50,
        signals=SignalRow(lane=lane, numbers=numbers.tobytes(), faults=0, quality=0.5, in_flight=1),
    )  # fmt: skip


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
