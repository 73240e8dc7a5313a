"""The bench itself runs: tiny counts, the bare proxy, and Sightglass if it can be started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fault_kinds import FAULTS
from bench.sizes import cases
from tests.programs import leave_out

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="on-core time is read from /proc")
def test_a_tiny_run_measures_every_part(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    argv = [sys.executable, "-m", "bench", "--size", "tiny", "--contenders", "bare,sightglass", "--json", str(out)]

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    bare = {(each["part"], each["figure"]): each["median"] for each in found["results"] if each["contender"] == "bare"}
    assert {"plain", "streams", "latency", "thousand", "idle"} == {part for part, _ in bare}
    assert bare["plain", "all"] > 0
    assert bare["streams", "all"] > 0
    assert bare["thousand", "errors"] == 0
    assert "FAILED" not in done.stderr
    if "sightglass" not in found["missing"]:
        assert "every call was observed" in found["ledger"]


@pytest.mark.slow
def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    argv = [sys.executable, "-m", "bench", "--only", "speed"]

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=30)

    assert done.returncode == 2
    assert "expected some of plain, streams" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("argv", [["bench.observing", "--calls", "60", "--batch", "20"], ["bench.parsing"]])
def test_the_observers_benches_print_a_row_a_case(argv: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, timeout=110)

    rows = [line for line in done.stdout.splitlines()[1:] if float(line.split()[-1].replace(",", "")) > 0]
    assert (done.returncode, len(rows)) == (0, 4 if argv[0] == "bench.observing" else 3)


@pytest.mark.slow
def test_the_bench_of_sizes_prints_a_row_a_body() -> None:
    argv = [sys.executable, "-m", "bench.sizes", "--rounds", "1", "--bytes", "40000"]

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=110)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1 + len(cases()))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")
@pytest.mark.timeout(300)
def test_the_bench_of_faults_plays_each_and_no_call_fails() -> None:
    argv = [sys.executable, "-m", "bench.faults", "--rounds", "1", "--seconds", "1", "--settle", "0.2", "--rate", "20"]

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280)

    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert (done.returncode, list(rows)) == (0, list(FAULTS)), done.stdout + done.stderr
    for line in rows.values():
        if "left out" in line:
            leave_out(line)
