"""Before anything serves: a ledger that this version cannot go on with is a refusal to start, or is moved aside."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from proxy.core.config import Config
from proxy.core.files import LEDGER_NAME
from proxy.processes import holder


def check_ledger(config: Config, *, recover: bool) -> None:
    """Exits with status 1 when calls could not be recorded until somebody does something.

    recover: move such a ledger aside and say so; the journal's frames that it lacks go into the new one.
    """
    data = Path(config.data)
    path = data / LEDGER_NAME
    if holder(data) is not None or not path.is_file():  # who runs there is told by the supervisor
        return
    from proxy.store.standing import move_aside, trouble_with

    trouble = trouble_with(path, thorough=recover)
    if trouble is None:
        return
    if not recover:
        click.echo(f"sightglass: the ledger {path} cannot be used: {trouble}", err=True)
        click.echo("  -> start once with --recover: it is moved aside, kept, and a new one begun", err=True)
        sys.exit(1)
    try:
        aside = move_aside(path)
    except OSError as error:
        click.echo(f"sightglass: the ledger {path} cannot be moved aside: {error.strerror}", err=True)
        sys.exit(1)
    click.echo(f"sightglass: {trouble}; the ledger was moved aside to {aside}, and a new one is begun", err=True)
