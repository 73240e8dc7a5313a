"""Was everything observed while it was measured? Counts the ledger's calls and compares them with those made."""

from __future__ import annotations

import subprocess

from bench.contenders import Running


def compare(running: Running) -> str:
    """One line that says whether each call made through Sightglass is in its ledger."""
    command = running.process.args
    assert isinstance(command, list)
    argv = [command[0], "calls", "--data", str(running.data), "--last", str(running.calls + 1000), "--json"]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "not compared: `sightglass calls` took longer than 120 s"
    if done.returncode:
        return f"not compared: `sightglass calls` ended with status {done.returncode}"
    kept = done.stdout.count(b"\n")
    verdict = "every call was observed" if kept == running.calls else "THEY DIFFER"
    return f"{kept} calls in the ledger, {running.calls} answered through Sightglass: {verdict}"
