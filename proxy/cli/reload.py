"""`sightglass reload`: the running Sightglass reads its settings anew and renews its processes one by one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import click

from proxy.cli.options import EXIT_SETTINGS, read_settings
from proxy.processes import holder
from proxy.supervisor.renewal import OUTCOME

_LOOK_S: Final = 0.05


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", metavar="DIR", envvar="SIGHTGLASS_DATA", help="Data directory.  [default: settings]")
@click.option("--config", metavar="FILE", help="Settings file to take --data from.")
@click.option(
    "--patience", metavar="S", type=click.FloatRange(min=0), default=120.0, show_default=True, help="Longest wait."
)
def reload(*, data: str | None, config: str | None, patience: float) -> None:
    """Take over new settings, without refusing or cutting a call.

    The running Sightglass reads its settings anew, with the options and the environment that it was started with, and
    judges them. If nothing is wrong, each process gives its place to a new one; old ones finish their calls. A SIGHUP
    does the same. Addresses, ports and the data directory need a restart.

    Exit status: 0 done, 1 not done, 2 mistakes in the settings: then nothing changes.
    """
    directory = Path(data or read_settings({"config": config}, serving=False).config.data).expanduser()
    pid = holder(directory)
    if pid is None:
        raise click.ClickException(f"no Sightglass runs with the data directory {directory}")
    asked_ns = time.time_ns()
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError as error:
        raise click.ClickException(f"process {pid} cannot be told: {error.strerror}") from error
    outcome = _wait(directory / OUTCOME, asked_ns, pid, patience)
    if outcome["state"] == "done":
        click.echo("sightglass: reloaded", err=True)
        return
    refused = outcome["state"] == "refused"
    click.echo(f"sightglass: {'mistakes in the settings' if refused else 'not reloaded'}", err=True)
    for mistake in outcome["mistakes"]:
        click.echo(f"  {mistake}", err=True)
    sys.exit(EXIT_SETTINGS if refused else 1)


def _wait(file: Path, asked_ns: int, pid: int, patience_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            outcome = json.loads(file.read_text())
        except (OSError, ValueError):
            outcome = {}
        if isinstance(outcome, dict) and outcome.get("at_unix_ns", 0) >= asked_ns and outcome.get("pid") == pid:
            return outcome
        time.sleep(_LOOK_S)
    raise click.ClickException("it does not say whether it is done; its log does")
