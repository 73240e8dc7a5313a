"""Rules as the YAML that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import yaml

from proxy.cli.rules.burning import PAIRS, Pair, burn_groups, unreachable
from proxy.cli.rules.causes import cause_groups
from proxy.cli.rules.rule import Alert, Group, Recorded, window
from proxy.core.config import Config

_HEAD: Final = """\
# Rules for Prometheus, made from the settings' `objectives` by `sightglass rules`. Change these, not this file.
# What each alert means and what to do: docs/runbook.md
"""


def rules_text(config: Config, pairs: tuple[Pair, ...] = PAIRS) -> str:
    """The whole file."""
    notes = "".join(f"# {note}\n" for note in unreachable(config.objectives, pairs))
    groups = all_groups(config, pairs)
    file = {"groups": [_group(group, config.objectives.runbook_url) for group in groups]}
    return _HEAD + notes + yaml.dump(file, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def all_groups(config: Config, pairs: tuple[Pair, ...] = PAIRS) -> list[Group]:
    """Everything that the settings make."""
    return [group for group in (*burn_groups(config.objectives, pairs), *cause_groups(config)) if group.rules]


def runbook_section(alert: str) -> str:
    """Anchor of the alert's section in docs/runbook.md."""
    return alert.lower()


def _group(group: Group, runbook_url: str) -> dict[str, Any]:
    interval = {} if group.interval_s is None else {"interval": window(group.interval_s)}
    return {"name": group.name, **interval, "rules": list(_rules(group.rules, runbook_url))}


def _rules(rules: Iterable[Recorded | Alert], runbook_url: str) -> Iterable[dict[str, Any]]:
    for rule in rules:
        if isinstance(rule, Recorded):
            yield {"record": rule.record, "expr": rule.expr}
            continue
        yield {
            "alert": rule.name,
            "expr": rule.expr,
            **({"for": window(rule.for_s)} if rule.for_s else {}),
            "labels": {"severity": rule.severity},
            "annotations": {
                "summary": rule.summary,
                "description": rule.description,
                "runbook_url": f"{runbook_url}#{runbook_section(rule.name)}",
            },
        }


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stand as such."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Block style where there is a line break."""
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _Dumper.represent_text)
