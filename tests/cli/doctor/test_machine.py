"""Doctor: the machine and our parts."""

from __future__ import annotations

import datetime as dt
import resource

import pytest

from proxy.cli.doctor import machine
from proxy.core.config import Price


def test_here_all_parts_are_there():
    assert [finding.mark for finding in machine.examine_parts()] == ["ok", "ok", "ok"]


def test_a_sane_clock_is_well_and_says_its_offset():
    finding = machine.examine_clock()

    assert finding.mark == "ok"
    assert "here UTC" in finding.found


def test_a_clock_without_battery_is_wrong(monkeypatch):
    class Then(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(1970, 1, 1, tzinfo=tz)

    monkeypatch.setattr(machine, "datetime", Then)

    finding = machine.examine_clock()

    assert (finding.mark, finding.found) == ("wrong", "it says 1970-01-01")


@pytest.mark.parametrize(
    ("limits", "mark", "do"),
    [
        ((4096, 4096), "ok", ""),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "ok", ""),
        ((1024, 524288), "warning", "ulimit -n 4096"),
        ((1024, 1024), "warning", "LimitNOFILE="),
    ],
)
def test_open_files(monkeypatch, limits, mark, do):
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)

    finding = machine.examine_limits()

    assert finding.mark == mark
    assert do in finding.do


def test_missing_parts_are_told(monkeypatch):
    monkeypatch.setattr(machine, "_importable", lambda name: name != "uvloop")
    assert "uvloop missing" in machine._compiled()[0].found

    monkeypatch.setattr(machine, "_importable", lambda name: name != "httptools")
    assert machine._compiled()[0].mark == "wrong"


def test_no_price_file_is_a_warning(monkeypatch):
    import proxy.observe.price_file

    monkeypatch.setattr(proxy.observe.price_file, "installed_price_file", lambda: None)

    finding = machine.examine_prices()

    assert finding.mark == "warning"
    assert "litellm is not installed" in finding.found


def test_a_shadow_model_that_nobody_sells_is_told():
    own = {"a": Price(shadow_model="gpt-4o-mini"), "b": Price(shadow_model="gpt-4o-mimi")}

    finding = machine.examine_prices(own)

    assert finding.mark == "warning"
    assert "shadow_model gpt-4o-mimi is not" in finding.found
