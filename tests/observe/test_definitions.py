"""The list of metrics keeps Prometheus' rules, and its page is current."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from proxy.analyse.drift.detector import Kind
from proxy.analyse.drift.severity import Severity
from proxy.core import bounds
from proxy.core.outcomes import OUTCOMES
from proxy.observe import definitions as d
from proxy.relay import faults
from proxy.wire.errors import ErrorType

ROOT = Path(__file__).parents[2]


def test_names_follow_the_rules() -> None:
    for family in d.FAMILIES:
        assert re.fullmatch(r"sightglass_[a-z0-9_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert family.help.endswith(".")
    assert len({family.name for family in d.FAMILIES}) == len(d.FAMILIES)


def test_buckets_ascend_and_waits_reach_ten_minutes() -> None:
    for family in d.FAMILIES:
        assert sorted(set(family.buckets)) == list(family.buckets)
        assert bool(family.buckets) == (family.kind == "histogram")
    assert bounds.SECONDS[-1] == bounds.GAP_SECONDS[-1] == 600


def test_known_words_begin_at_zero() -> None:
    assert {word for (word,) in d.OUTCOMES_TOTAL.known} == set(OUTCOMES)
    assert {word for (word,) in d.FRAMES_LOST.known} == {"started", "finished"}
    assert {word for (word,) in d.ERRORS.known} == set(get_args(ErrorType)) | {fault.code for fault in faults.ALL}
    assert {kind for kind, _ in d.DRIFT_EVENTS.known} == set(get_args(Kind))
    assert {severity for _, severity in d.DRIFT_EVENTS.known} == set(get_args(Severity)) - {"none"}
    assert all(family.known == ((),) for family in d.FAMILIES if not family.labels)


def test_the_page_is_current() -> None:
    run = subprocess.run(
        [sys.executable, "scripts/metrics_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
