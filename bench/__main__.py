"""`python -m bench`: the bare proxy, Sightglass and nginx side by side in one run. See bench/README.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import machine, report
from bench.contenders import CONTENDERS, MissingError, Running, begin, upstream, wait_first_answer
from bench.ledger import compare
from bench.measures import PARTS, SIZES, Bench, Figures, MeasureFailedError, idle
from bench.processes import StartFailedError, free_port, raise_file_limit

Rounds = dict[tuple[str, str], list[Figures | None]]


def say(text: str) -> None:
    """Progress, for people; the table goes to standard output."""
    print(text, file=sys.stderr, flush=True)


def run_rounds(bench: Bench, running: dict[str, Running], parts: Sequence[str], folder: Path) -> Rounds:
    """A B C, A B C, ...: each part of each contender once a round, so that slow drift of the machine hits all alike."""
    rounds: Rounds = {}
    for number in range(bench.size.rounds):
        for part in parts:
            if part in ("thousand", "idle") and number >= bench.size.heavy_rounds:
                continue
            names = [*(["direct"] if part == "latency" else []), *running]
            for name in names:
                began = time.monotonic()
                target = bench.upstream if name == "direct" else running[name]
                figures: Figures | None = None
                foreign = machine.Foreign([pid for each in (bench.upstream, *running.values()) for pid in each.pids()])
                try:
                    if part == "idle":
                        figures = idle(bench, CONTENDERS[name], folder / f"idle-{number}-{name}")
                    else:
                        figures = PARTS[part](bench, target)
                    figures["foreign_cores"] = foreign.cores()
                except (MeasureFailedError, StartFailedError) as exc:
                    say(f"round {number + 1} {part} {name}: FAILED: {exc}")
                rounds.setdefault((part, name), []).append(figures)
                if figures is not None:
                    took_s, others = time.monotonic() - began, figures["foreign_cores"]
                    say(
                        f"round {number + 1} {part:<9}{name:<11}{took_s:5.1f} s, others {others:.2f}: {_short(figures)}"
                    )
    return rounds


def _short(figures: Figures) -> str:
    return " ".join(f"{name}={value:.4g}" for name, value in figures.items())


def start_all(stack: ExitStack, names: Sequence[str], *, upstream_port: int, folder: Path) -> dict[str, Running]:
    """Those contenders that can be started; says why of the others."""
    running = {}
    for name in names:
        try:
            running[name] = begin(CONTENDERS[name], upstream_port=upstream_port, folder=folder / name)
            stack.callback(running[name].stop)
            running[name].rest()
            if lacking := running[name].lacking():
                say(f"{name} runs without {', '.join(sorted(lacking))}: no figures of it in all")
        except MissingError as exc:
            say(f"left out: {name}: {exc}")
        except (StartFailedError, OSError) as exc:
            say(f"left out: {name} did not start: {exc}")
    return running


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One whole run."""
    size = SIZES[options.size]
    size = size.with_rounds(options.rounds) if options.rounds else size
    with ExitStack() as stack:
        serving = upstream(free_port(), folder)
        stack.callback(serving.stop)
        wait_first_answer(serving, since=time.monotonic())
        serving.rest()
        running = start_all(stack, options.contenders, upstream_port=serving.port, folder=folder)
        bench = Bench(size=size, upstream=serving, ask_usage=options.ask_usage)
        where = machine.describe()
        rounds = run_rounds(bench, running, options.only, folder)
        ledger = compare(running["sightglass"]) if "sightglass" in running else None
    return {
        "machine": where,
        "foreign_cores": report.foreign_cores(rounds),
        "size": options.size,
        "rounds": size.rounds,
        "missing": [name for name in options.contenders if name not in running],
        "ledger": ledger,
        "results": report.as_json(found := report.results(rounds)),
        "table": report.table(found),
        "raw": {f"{part} {name}": figures for (part, name), figures in rounds.items()},
    }


def listed(allowed: Sequence[str], text: str) -> list[str]:
    """A list given with commas, each word one of those allowed."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if wrong := [word for word in words if word not in allowed]:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)}: expected some of {', '.join(allowed)}")
    return words


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parts = [*PARTS, "idle"]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default 6; quick 2)")
    parser.add_argument("--only", type=lambda text: listed(parts, text), default=parts, help=",".join(parts))
    parser.add_argument(
        "--contenders",
        type=lambda text: listed(list(CONTENDERS), text),
        default=list(CONTENDERS),
        help=",".join(CONTENDERS),
    )
    parser.add_argument("--size", choices=list(SIZES), default="full", help="full takes 8 minutes, quick 90 s")
    parser.add_argument("--quick", action="store_const", const="quick", dest="size", help="the same as --size quick")
    parser.add_argument("--ask-usage", action="store_true", help="streams ask for the usage event themselves")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, every round")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table. Status 1 when nothing could be measured."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what we started is stopped
    raise_file_limit()
    with tempfile.TemporaryDirectory(prefix="sightglass-bench-") as folder:
        found = measure(options, Path(folder))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    where = found["machine"]
    print(f"{where['at']}, {where['cores']} cores of {where['processor']}, Linux {where['kernel']},", end=" ")
    print(f"Python {where['python']}, size {found['size']}, {found['rounds']} rounds")
    print(found["table"])
    print(f"\nothers used {found['foreign_cores']:.2f} cores on average while it was measured")
    for name in found["missing"]:
        print(f"left out: {name} (see above)")
    if found["ledger"]:
        print(f"ledger: {found['ledger']}")
    return 0 if found["results"] else 1


if __name__ == "__main__":
    sys.exit(main())
