"""Service levels that no bucket can judge are mistakes."""

from __future__ import annotations

import pytest

from proxy.core.config import Config, Objectives
from tests.settings.test_checks import found


def test_a_threshold_between_two_buckets():
    (mistake,) = found(Config(objectives=Objectives(first_token_s=7.0)))

    assert mistake.startswith("objectives.first_token_s: expected one of 0.005, 0.01, ")
    assert mistake.endswith("came 7.0: Prometheus only counts calls within these bounds; 5 or 10 is near")


@pytest.mark.parametrize(("beyond", "near"), [(1000.0, "600"), (0.001, "0.005")])
def test_a_threshold_beyond_all_buckets(beyond, near):
    (mistake,) = found(Config(objectives=Objectives(duration_s=beyond)))

    assert f"; {near} is near" in mistake


def test_names_that_are_none():
    assert len(found(Config(objectives=Objectives(models_loaded=("",), runbook_url="")))) == 2


def test_thresholds_on_bounds_pass():
    assert found(Config(objectives=Objectives(first_token_s=2.5, duration_s=600))) == []


@pytest.mark.parametrize("address", ["https://wiki/{{ $labels.model }}", "https://wiki/{{", "docs/run\nbook.md"])
def test_an_address_that_breaks_the_rules(address):
    (mistake,) = found(Config(objectives=Objectives(runbook_url=address)))

    assert mistake.startswith("objectives.runbook_url: expected an address or a path without {{")
