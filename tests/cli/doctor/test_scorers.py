"""Scorers that cannot be loaded are found before an answer comes."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from proxy.cli.doctor.scorers import examine_scorers
from proxy.core.config import Config, Quality


class Polite:
    name = "polite"

    def score(self, answered: Any) -> float:
        return 1.0


class Length(Polite):
    name = "length"


def marks(*names: str) -> list[tuple[str, str]]:
    findings = examine_scorers(Config(quality=Quality(scorers=list(names))))
    return [(finding.mark, finding.found) for finding in findings]


def test_each_scorer_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("my_scorers")
    module.Polite, module.Length = Polite, Length  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_scorers", module)

    good, clash, missing = marks("my_scorers:Polite", "my_scorers:Length", "no_such_module:X")

    assert good == ("ok", "polite can be loaded")
    assert clash[0] == missing[0] == "wrong"
    assert "there is a part called 'length' already" in clash[1]
    assert "no_such_module:X: ModuleNotFoundError" in missing[1]


def test_without_scorers_there_is_nothing_to_say() -> None:
    assert marks() == []
