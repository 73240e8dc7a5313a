"""The rules as Prometheus reads them: valid, firing and silent where they shall be, each with a page in the runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.cli.rules.printing import rules_text
from proxy.core.config import Config, Objectives
from proxy.observe import definitions as d
from tests.programs import require_program

ROOT = Path(__file__).parents[3]
CASES = sorted((Path(__file__).parent / "promtool").glob("*.yml"))
SETTINGS = Path(__file__).parent / "settings.yaml"
EVERYTHING = Config(objectives=Objectives(models_loaded=("llama3.2",), cost_per_day_usd=5.0, budget_usd_per_month=50.0))


def alerts(config: Config = EVERYTHING) -> list[dict[str, Any]]:
    groups = yaml.safe_load(rules_text(config))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def test_the_command_prints_what_the_settings_say(sightglass: Any) -> None:
    assert sightglass("rules", "--config", str(SETTINGS)).output == rules_text(EVERYTHING)


@pytest.mark.parametrize("config", [Config(), EVERYTHING, Config(objectives=Objectives(availability=0.9))])
def test_promtool_takes_them(config: Config, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_text(config))
    command = [require_program("promtool"), "check", "rules", str(tmp_path / "rules.yml")]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert "SUCCESS" in run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_they_fire_and_are_silent(case: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_text(EVERYTHING))
    shutil.copy(case, tmp_path)
    command = [require_program("promtool"), "test", "rules", case.name]

    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout) == (0, f"Unit Testing:  {case.name}\n  SUCCESS\n\n"), run.stdout


def test_each_alert_is_tested_firing_and_silent() -> None:
    fires, silent = set(), set()
    for path in CASES:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for rule_test in test["alert_rule_test"]:
                name = rule_test["alertname"]
                found = {(name, expected["exp_labels"]["severity"]) for expected in rule_test["exp_alerts"]}
                fires |= found
                silent |= {(name, severity) for severity in ("page", "ticket")} - found

    every = {(rule["alert"], rule["labels"]["severity"]) for rule in alerts()}
    assert every == fires
    assert every <= silent


def test_each_alert_has_its_section_in_the_runbook_and_each_section_an_alert() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    sections = re.findall(r"^## (\w+)$", runbook, re.MULTILINE)

    assert set(sections) == {rule["alert"] for rule in alerts()}
    for rule in alerts():
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / page).is_file()
        assert anchor in [section.lower() for section in sections]
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_the_runbook_knows_each_cause_of_a_lost_record() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    section = runbook.partition("## SightglassRecordsLost")[2].partition("\n## ")[0]

    assert {cause for (cause,) in d.LOST.known} == set(re.findall(r"`(\w+)` =", section))


def test_rules_and_runbook_name_no_metric_that_we_do_not_export() -> None:
    exported = {family.name for family in d.FAMILIES}
    exported |= {
        f"{family.name}{suffix}" for family in d.FAMILIES if family.buckets for suffix in ("_bucket", "_count")
    }

    for text in (rules_text(EVERYTHING), (ROOT / "docs" / "runbook.md").read_text()):
        assert set(re.findall(r"\bsightglass_\w+", text)) <= exported


def test_the_shipped_rules_are_those_of_the_defaults() -> None:
    command = [sys.executable, "scripts/prometheus_rules.py", "--check"]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_what_has_no_limit_in_the_settings_has_no_rule() -> None:
    names = {rule["alert"] for rule in alerts(Config())}

    assert not names & {"SightglassCostPerDay", "SightglassBudget", "SightglassModelNotLoaded"}


def test_a_runbook_elsewhere() -> None:
    config = Config(objectives=Objectives(runbook_url="https://wiki.example.com/sightglass"))

    assert alerts(config)[0]["annotations"]["runbook_url"] == (
        "https://wiki.example.com/sightglass#sightglassavailability"
    )


def test_a_model_with_a_quote_in_its_name_breaks_nothing(tmp_path: Path) -> None:
    (rule,) = (
        rule
        for rule in alerts(Config(objectives=Objectives(models_loaded=('od"d\\model:1',))))
        if rule["alert"] == "SightglassModelNotLoaded"
    )

    assert r'model="od\"d\\model:1"' in rule["expr"]
