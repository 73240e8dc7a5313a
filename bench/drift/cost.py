"""What an answer costs: signals, score and detector, each timed alone. `python -m bench.drift.cost --data DIR`.

Time is of the thread's own CPU. A route is one model; with many of them the answers go round.

How fast a shared machine is changes threefold within the hour. So a fixed loop of plain Python is timed in between, in
the same run: figures of two runs compare as multiples of it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bench.drift.contenders import BUDGET
from bench.drift.material import read_materials
from bench.drift.stream import Base, Source

_ANSWERS: Final = 3000
_CALIBRATED_EVERY: Final = 20  # answers
_BATCH: Final = 200  # calls of one route in a row, when there are many: as the ledger's batches come


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.drift.cost")
    parser.add_argument("--data", type=Path, default=Path("../shared/drift-data"))
    parser.add_argument("--routes", type=int, default=500)
    parser.add_argument("--answers", type=int, default=700, help="of each route")
    options = parser.parse_args()
    source = Source(Base("chat", "gpt-3.5-turbo-0613", "daily", 1), read_materials(options.data, "all"))
    records = [source.record() for _ in range(_ANSWERS)]
    print(f"{_ANSWERS} answers of {sum(len(r['response']) for r in records) / _ANSWERS:.0f} characters on average\n")
    print("| | p50, us | p99, us | mean, us | loop, us | p50, loops | p99, loops |\n|" + " --- |" * 7)
    one_route(records)
    if options.routes:
        many_routes(records, options.routes, options.answers)


def one_route(records: list[dict[str, Any]]) -> None:
    """Signals, score, and signals with detector, on one route."""
    from proxy.analyse.drift.replay import Replay, answer_of
    from proxy.observe.quality.answered import Answered
    from proxy.observe.quality.reference import LEARNED_FROM, References
    from proxy.observe.quality.score import score
    from proxy.observe.quality.signals import signals_of

    answers = [answer_of(record) for record in records]
    signals = [signals_of(answer) for answer in answers]
    _row("signals", _timed(signals_of, answers))
    references = References()
    for seen in signals[:LEARNED_FROM]:
        references.filled(seen)
    _row("references, on top", _timed(references.filled, signals))
    _row("score, on top", _timed(score, [Answered(answer=a, signals=s) for a, s in zip(answers, signals, strict=True)]))
    replay = Replay(budget=BUDGET)
    _row("all but the score, while learning", _timed(replay.feed, records[:500]))
    _row("all but the score, while watching", _timed(replay.feed, records[500:]))


def many_routes(records: list[dict[str, Any]], routes: int, answers: int) -> None:
    """Memory and CPU of many routes at once."""
    from proxy.analyse.drift.replay import Replay

    replay = Replay(budget=BUDGET)
    for record in records[:600]:  # what is there once for all routes
        replay.feed({**record, "route": "first"})
    before, begun = _resident_bytes(), time.thread_time()
    raised = 0
    for start in range(0, answers, _BATCH):
        for route in range(routes):
            for place in range(start, min(start + _BATCH, answers)):
                record = records[(place + 37 * route) % len(records)]
                raised += sum(event.event == "raised" for event in replay.feed({**record, "route": f"route-{route}"}))
    spent_s, taken = time.thread_time() - begun, _resident_bytes() - before
    print(f"\n{routes} routes, {answers} answers each: {taken / routes / 1e6:.2f} MB a route,", end=" ")
    print(f"{1e6 * spent_s / routes / answers:.0f} us an answer, {raised} alarms")
    print(f"most memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _timed(what: Callable[[Any], object], arguments: Sequence[Any]) -> tuple[list[float], float]:
    """Microseconds that each took; and the median of what the loop did, timed in between."""
    spent, loops = [], []
    for number, argument in enumerate(arguments):
        if number % _CALIBRATED_EVERY == 0:
            loops.append(_spent_us(_loop, None))
        spent.append(_spent_us(what, argument))
    return spent, sorted(loops)[len(loops) // 2]


def _spent_us(what: Callable[[Any], object], argument: object) -> float:
    begun = time.thread_time_ns()
    what(argument)
    return (time.thread_time_ns() - begun) / 1000


def _loop(_: object) -> int:
    total = 0
    for number in range(1000):
        total += number * number % 7
    return total


def _row(name: str, timed: tuple[list[float], float]) -> None:
    ordered, loop = sorted(timed[0]), timed[1]
    p50, p99 = ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))]
    mean = sum(ordered) / len(ordered)
    print(f"| {name} | {p50:.0f} | {p99:.0f} | {mean:.0f} | {loop:.0f} | {p50 / loop:.1f} | {p99 / loop:.1f} |")


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
