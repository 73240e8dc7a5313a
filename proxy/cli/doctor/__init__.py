"""`sightglass doctor`: looks at everything that `serve` needs, and says what to do about each thing that is wrong."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click
import msgspec

from proxy import __version__
from proxy.cli.doctor.findings import Finding, ok
from proxy.cli.options import EXIT_SETTINGS, give_up, load_settings, settings_options

if TYPE_CHECKING:
    from proxy.core.config import Config
    from proxy.core.upstreams import ResolvedUpstream

_COLOURS: Final = {"ok": "green", "warning": "yellow", "wrong": "red"}


@click.command()
@settings_options
@click.option("--ledger", "only_ledger", is_flag=True, help="Prove instead that no call is missing, on a live system.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object in the place of text.")
def doctor(*, only_ledger: bool, as_json: bool, **options: str | None) -> None:
    """Look for what is wrong, and say what to do about it.

    Looks at the settings, the upstreams, the data directory, the ports, the clock, the system's limits and the parts
    Sightglass is built from. Changes nothing and loads no model. Takes the options of `sightglass serve`.

    With --ledger it counts instead: calls that the relays took = calls under way + frames + calls lost by name,
    frames = records, and the metric grew as the ledger did. It may run under traffic and changes nothing.

    Exit status: 0 all is well (warnings allowed), 1 something is wrong, 2 mistakes in the settings.
    """
    from proxy.settings import SettingsError, resolve_upstreams

    try:
        loaded = load_settings(options)
        upstreams = resolve_upstreams(loaded.config, os.environ)
    except SettingsError as error:
        if not as_json:
            give_up(error)
        click.echo(json.dumps({"status": "wrong", "mistakes": msgspec.to_builtins(error.mistakes)}, indent=2))
        sys.exit(EXIT_SETTINGS)
    if only_ledger:
        from proxy.cli.doctor.ledger import examine_ledger

        _tell(examine_ledger(loaded.config), as_json=as_json)
    own = sum(origin != "default" for origin in loaded.origins.values())
    settings = ok(
        "settings", f"{loaded.file or 'no file'}; {own} set, {len(loaded.origins) - own} left to their defaults"
    )
    _tell([settings, *examine(loaded.config, upstreams)], as_json=as_json)


def _tell(findings: list[Finding], *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps(as_builtins(findings), indent=2))
    else:
        click.echo(as_text(findings), color=False if os.environ.get("NO_COLOR") else None)
    sys.exit(any(finding.mark == "wrong" for finding in findings))


def examine(config: Config, upstreams: tuple[ResolvedUpstream, ...]) -> list[Finding]:
    """All that can be looked at, in the order people care for."""
    from proxy.cli.doctor.access import examine_access
    from proxy.cli.doctor.directory import examine_directory
    from proxy.cli.doctor.machine import examine_clock, examine_limits, examine_parts
    from proxy.cli.doctor.ports import examine_ports
    from proxy.cli.doctor.scorers import examine_scorers
    from proxy.cli.doctor.upstreams import examine_upstreams

    return [
        *examine_upstreams(upstreams),
        *examine_ports(config),
        *examine_directory(config),
        *examine_access(config),
        examine_clock(),
        examine_limits(),
        *examine_parts(config.prices),
        *examine_scorers(config),
    ]


def as_builtins(findings: list[Finding]) -> dict[str, Any]:
    """For --json."""
    status = "wrong" if any(finding.mark == "wrong" for finding in findings) else "ok"
    return {"status": status, "version": __version__, "findings": msgspec.to_builtins(findings)}


def as_text(findings: list[Finding]) -> str:
    """A line each, what to do below it, and the sum."""
    width = max(len(finding.about) for finding in findings)
    lines = []
    for finding in findings:
        mark = click.style(f"{finding.mark:<7}", fg=_COLOURS[finding.mark], bold=finding.mark == "wrong")
        lines.append(f"{mark}  {finding.about:<{width}}  {finding.found}")
        if finding.do:
            lines.append(f"{'':7}  {'':{width}}  -> {finding.do}")
    count = {mark: sum(finding.mark == mark for finding in findings) for mark in _COLOURS}
    said = [f"{count['wrong']} wrong"] if count["wrong"] else []
    said += [f"{count['warning']} warning{'' if count['warning'] == 1 else 's'}"] if count["warning"] else []
    return "\n".join([*lines, "", ", ".join(said) + "." if said else "All is well."])
