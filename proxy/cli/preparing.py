"""What must be there before anybody serves: the admin token, and a control snapshot that knows the ledger's keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from proxy.cli.options import EXIT_SETTINGS
from proxy.control.admin_token import make_token
from proxy.control.publishing import publish
from proxy.control.snapshot import control_path, read_snapshot
from proxy.core.config import Config
from proxy.core.files import LEDGER_NAME


def prepare(config: Config, environ: Mapping[str, str] = os.environ) -> str | None:
    """Make what is missing; gives the admin token. Exits with status 2 when keys may be lost: nobody would be asked.

    A data directory that cannot be written to is no mistake here: the supervisor says so in better words.
    """
    from proxy.settings import resolve_admin_token

    data = Path(config.data)
    try:
        if config.access.token_env is None and config.access.token_file is None:
            make_token(data)
        _restore_snapshot(data)
    except OSError:
        pass
    return resolve_admin_token(config, environ)


def _restore_snapshot(data: Path) -> None:
    """A snapshot that is missing or damaged comes back from the ledger, before a relay would go without."""
    try:
        if read_snapshot(control_path(data)) is not None:
            return
        damaged = ""
    except ValueError as error:
        damaged = str(error)
    if not damaged and not (data / LEDGER_NAME).exists():
        publish(data, lambda snapshot: snapshot)  # the first start
        return
    from proxy.core.errors import LedgerError, LedgerMissing, LedgerWrongVersion
    from proxy.observe.client_keys import publish_known
    from proxy.store import open_reader

    try:
        with open_reader(data) as ledger:
            publish_known(data, ledger)
    except (LedgerMissing, LedgerWrongVersion) as error:
        if damaged:
            _give_up(damaged, str(error))
        publish(data, lambda snapshot: snapshot)  # nothing in it yet, or an older one, which has no keys
    except LedgerError as error:
        if damaged:
            _give_up(damaged, str(error))


def _give_up(damaged: str, why: str) -> None:
    click.echo(f"sightglass: {damaged}\n  and the ledger does not say which keys there are: {why}", err=True)
    click.echo("  -> restore one of them from a backup; or remove control.json, if no client keys were made", err=True)
    sys.exit(EXIT_SETTINGS)
