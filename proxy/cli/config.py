"""`sightglass config show`: each value and where it came from."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from proxy.cli.options import read_settings, settings_options


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def config() -> None:
    """Show the settings and where each came from."""


@config.command()
@settings_options
@click.option("--json", "as_json", is_flag=True, help='One JSON object: {"limits.connect_s": {"value": 5.0, ...}}.')
def show(*, as_json: bool, **options: str | None) -> None:
    """Print each setting's value and where it came from.

    The order is: defaults, then the settings file, then SIGHTGLASS_* variables, then options; the last one that says
    something wins. Mistakes are printed all at once, with exit status 2.
    """
    loaded = read_settings(options)
    values = loaded.values()
    if as_json:
        shown = {
            path: {"value": msgspec.to_builtins(value), "origin": loaded.origins[path]}
            for path, value in values.items()
        }
        click.echo(json.dumps(shown, indent=2))
        return
    click.echo(f"# settings file: {loaded.file or 'none'}")
    rows = [(path, plain(value), loaded.origins[path]) for path, value in values.items()]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for path, value, origin in rows:
        mark = click.style(origin, dim=origin == "default", bold=origin != "default")
        click.echo(f"{path:<{first}}  {value:<{min(second, 40)}}  {mark}")


def plain(value: Any) -> str:
    """A value as the settings file has it."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return ", ".join(map(str, value)) if value else "-"
        case dict():
            return ", ".join(value) if value else "-"
        case _:
            return str(value)
