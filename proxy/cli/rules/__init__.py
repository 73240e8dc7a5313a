"""`sightglass rules`: alert rules for Prometheus, made from the settings' objectives."""

from __future__ import annotations

import click

from proxy.cli.options import read_settings, settings_options


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@settings_options
def rules(**options: str | None) -> None:
    """Print recording and alert rules for Prometheus.

    They are made from `objectives` in the settings.

    \b
      sightglass rules > /etc/prometheus/rules/sightglass.yml
      promtool check rules /etc/prometheus/rules/sightglass.yml

    docs/runbook.md says of each alert what it means and what to do.
    """
    from proxy.cli.rules.printing import rules_text

    click.echo(rules_text(read_settings(options).config), nl=False)
