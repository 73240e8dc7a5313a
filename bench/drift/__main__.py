"""`python -m bench.drift`: see bench/drift/README.md."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Final

from bench.drift import table
from bench.drift.contenders import CONTENDERS, missing
from bench.drift.faults import WORLDS
from bench.drift.material import Materials, read_materials
from bench.drift.stream import Base, bases
from bench.drift.traffic import KINDS
from bench.drift.trial import Calm, Found, Plan, run
from proxy.analyse.drift import priors

DATA: Final = Path("../shared/drift-data")
_materials: Materials | None = None


def main() -> None:
    """Run, say how far, print the tables."""
    options = _options()
    begun = time.monotonic()
    contenders = _present(options.contenders.split(","))
    plan = Plan(
        contenders, options.calm or (1500 if options.quick else 3000), 1 if options.quick else 2,
        frozenset(filter(None, options.faults.split(","))),
    )  # fmt: skip
    if options.priors is not None:
        priors.PRIORS = priors.read(options.priors)
    global _materials
    _materials = read_materials(options.data, options.split, options.fold)
    traffics = tuple(kind for kind in KINDS if kind in options.traffics.split(","))
    seeds = options.seeds or (1 if options.quick else 4)
    todo = bases(_materials, traffics, seeds=seeds, models=options.models or (2 if options.quick else None),
                 apart=options.apart, worlds=options.worlds.split(","))  # fmt: skip
    calm, found = _run_all(todo, plan, options.jobs)
    print(f"split {options.split}, fold {options.fold}, {len(todo)} streams, {time.monotonic() - begun:.0f} s\n")
    print(table.main_table(calm, found, contenders))
    for who in contenders[:1]:
        print(f"\n## Classes: {who}\n\n{table.class_table(found, who)}")
        print(f"\n## Changes of model missed within 500: {who}\n\n{table.misses(found, who)}")
        print(f"\n## False alarms: {who}\n\n{table.false_alarms(calm, who)}")


def _run_all(todo: list[Base], plan: Plan, jobs: int) -> tuple[list[Calm], list[Found]]:
    calm: list[Calm] = []
    found: list[Found] = []
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        for number, (of_calm, of_found) in enumerate(pool.imap_unordered(_run_one, [(base, plan) for base in todo]), 1):
            calm += of_calm
            found += of_found
            if sys.stderr.isatty() or number % 10 == 0:
                print(f"\r{number} of {len(todo)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return calm, found


def _run_one(task: tuple[Base, Plan]) -> tuple[list[Calm], list[Found]]:
    assert _materials is not None
    return run(task[0], _materials, task[1])


def _present(names: list[str]) -> tuple[str, ...]:
    present = []
    for name in names:
        reason = missing(name)
        if reason is None:
            present.append(name)
        else:
            print(f"{name} takes no part: {reason}", file=sys.stderr)
    return tuple(present)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.drift", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the developer split")
    parser.add_argument("--split", choices=("tune", "validate", "models", "all"), default="tune")
    parser.add_argument("--fold", type=int, default=0, help="another split for each number")
    parser.add_argument("--apart", action="store_true", help="the first 150 answers are to other prompts than the rest")
    parser.add_argument("--priors", type=Path, help="of `bench.drift.learn`, instead of those of all models")
    parser.add_argument("--quick", action="store_true", help="a first look, within two minutes")
    parser.add_argument("--jobs", type=int, default=max((os.cpu_count() or 2) - 1, 1), help="processes")
    parser.add_argument("--seeds", type=int, help="streams of each base")
    parser.add_argument("--models", type=int, help="chat models of each seed and traffic")
    parser.add_argument("--calm", type=int, help="answers of a calm stream, warm-up included")
    parser.add_argument("--faults", default="", help="classes or rows, by name and comma; all by default")
    parser.add_argument("--traffics", default=",".join(KINDS))
    parser.add_argument("--worlds", default=",".join(WORLDS), help="chat, and three with one family each")
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    return parser.parse_args()


if __name__ == "__main__":
    main()
