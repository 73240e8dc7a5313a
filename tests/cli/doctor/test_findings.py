"""What the doctor found."""

from __future__ import annotations

from proxy.cli.doctor.findings import ok, warning, wrong


def test_only_what_is_well_needs_nothing_done():
    assert [finding.mark for finding in (ok("a", "b"), warning("a", "b", "c"), wrong("a", "b", "c"))] == [
        "ok",
        "warning",
        "wrong",
    ]
    assert ok("a", "b").do == ""
