"""`python -m bench.drift.cost`: processor time of an answer, in microseconds: signals, references, detector."""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from bench.drift.__main__ import DATA
from bench.drift.material import read_materials
from bench.drift.stream import WARM_UP, Source, bases
from proxy.analyse.drift.detector import Detector
from proxy.analyse.drift.replay import answer_of, sample_of
from proxy.observe.quality.reference import References
from proxy.observe.quality.signals import signals_of

_PARTS: Final = ("signals", "references", "detector", "all")


def main() -> None:
    """One calm stream of real answers; the warm-up is not counted."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift.cost", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the developer split")
    parser.add_argument("--answers", type=int, default=1500)
    options = parser.parse_args()
    times = _times(options.data, options.answers)
    print(f"{'us':>12} {'p50':>7} {'p90':>7} {'p99':>7} {'mean':>7}")
    for name, column in zip(_PARTS, times.T, strict=True):
        p50, p90, p99 = np.percentile(column, (50, 90, 99))
        print(f"{name:>12} {p50:7.0f} {p90:7.0f} {p99:7.0f} {column.mean():7.0f}")


def _times(data: Path, answers: int) -> np.ndarray:
    materials = read_materials(data, "tune")
    source = Source(bases(materials, ("independent",), seeds=1, models=1)[0], materials)
    detector, references = Detector(20_000), References()
    rows = []
    for _ in range(WARM_UP + answers):
        record = source.record()
        answer = answer_of(record)
        marks = [time.thread_time_ns()]
        signals = signals_of(answer)
        marks.append(time.thread_time_ns())
        signals = references.filled(signals)
        marks.append(time.thread_time_ns())
        sample = sample_of(signals, record)
        detector.feed(sample)
        marks.append(time.thread_time_ns())
        rows.append([(after - before) / 1000 for before, after in pairwise(marks)])
    found = np.array(rows[WARM_UP:])
    return np.concatenate([found, found.sum(1, keepdims=True)], axis=1)


if __name__ == "__main__":
    main()
