"""Dashboards: what is committed is what the code makes, asks only for what we export, and can be read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.observe import definitions as d
from scripts.dashboards.pages import PAGES

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "config" / "grafana" / "dashboards").glob("*.json"))
EXPORTED = {family.name for family in d.FAMILIES} | {
    f"{family.name}{suffix}" for family in d.FAMILIES if family.buckets for suffix in ("_bucket", "_count", "_sum")
}


def panels(file: Path) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(file.read_text())["panels"] if panel["type"] != "row"]


def test_the_files_are_those_that_the_code_makes() -> None:
    command = [sys.executable, "-m", "scripts.grafana_dashboards", "--check"]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert len(FILES) == len(PAGES) >= 7


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_dashboard_can_be_read(file: Path) -> None:
    page = json.loads(file.read_text())

    ids = [panel["id"] for panel in page["panels"]]
    assert len(set(ids)) == len(ids)
    assert page["uid"] == file.stem
    assert page["schemaVersion"] == 42
    assert page["description"]
    for panel in panels(file):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        references = [target["refId"] for target in panel["targets"]]
        assert all(references)
        assert len(set(references)) == len(references)
        assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_no_panel_lies_on_another_or_beside_the_grid(file: Path) -> None:
    places = [panel["gridPos"] for panel in json.loads(file.read_text())["panels"]]

    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_queries_ask_for_exported_metrics_by_labels_that_they_have(file: Path) -> None:
    families = {family.name: family for family in d.FAMILIES}
    for panel in panels(file):
        for target in panel["targets"]:
            expr = target["expr"]
            asked = set(re.findall(r"\bsightglass_\w+", expr))
            assert asked, expr
            assert asked <= EXPORTED, asked - EXPORTED
            for name, matchers in re.findall(r"(sightglass_\w+)\{([^}]*)\}", expr):
                family = families.get(name) or families[re.sub(r"_(bucket|count|sum)$", "", name)]
                labels = set(re.findall(r"(\w+)=~?\"", matchers)) - {"job", "le"}
                assert labels <= set(family.labels), (expr, labels)
            grouped = re.findall(r"by \(([^)]*)\) \((?:\w+\()?(sightglass_\w+)", expr)
            assert len(grouped) == expr.count("by ("), expr
            for by, name in grouped:
                family = families.get(name) or families[re.sub(r"_(bucket|count|sum)$", "", name)]
                assert set(by.split(", ")) - {"le"} <= set(family.labels), (expr, by)


def test_variables_are_used_and_defined() -> None:
    for file in FILES:
        page = json.loads(file.read_text())
        text = json.dumps(page["panels"])
        names = {variable["name"] for variable in page["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", text)) - {"__rate_interval", "__range"}
        assert used <= names
        assert names - {"model"} <= used


def test_grafana_finds_the_files() -> None:
    """Names in the provisioning agree with what docker-compose.yml mounts where."""
    grafana = ROOT / "config" / "grafana" / "provisioning"
    sources = yaml.safe_load((grafana / "datasources" / "prometheus.yml").read_text())
    providers = yaml.safe_load((grafana / "dashboards" / "sightglass.yml").read_text())

    (source,) = sources["datasources"]
    (provider,) = providers["providers"]
    assert sources["apiVersion"] == providers["apiVersion"] == 1
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    assert (provider["type"], provider["options"]["path"]) == ("file", "/etc/grafana/dashboards")
