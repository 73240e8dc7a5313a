"""Options that settings can be given by, the same for every command that reads settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from proxy.settings import Loaded, SettingsError

EXIT_SETTINGS: Final = 2
Command = TypeVar("Command", bound=Callable[..., Any])

# Values stay text: proxy.settings judges them together with all others, so that every mistake is told at once.
_OPTIONS: Final = (
    click.option(
        "--config",
        metavar="FILE",
        help="Settings file. Else the first there is of SIGHTGLASS_CONFIG, ./sightglass.yaml,"
        " /etc/sightglass/sightglass.yaml.",
    ),
    click.option("--upstream", metavar="URL", help="Where calls go.  [default: http://127.0.0.1:11434]"),
    click.option("--host", metavar="HOST", help="Address for clients.  [default: 127.0.0.1]"),
    click.option("--port", metavar="N", help="Port for clients; 0: a free one.  [default: 11435]"),
    click.option("--console-host", metavar="HOST", help="Address of the console.  [default: 127.0.0.1]"),
    click.option("--console-port", metavar="N", help="Port of the console; 0: a free one.  [default: 11436]"),
    click.option("--data", metavar="DIR", help="Where journal and ledger are kept.  [default: ./sightglass-data]"),
    click.option("--workers", metavar="N", help="Relay processes that share the port.  [default: 1]"),
)

# Not a setting: what to do once, at this start.
recover_option: Final = click.option(
    "--recover",
    is_flag=True,
    help="Move a ledger aside that is damaged, foreign or of a newer version, and begin a new one.",
)


def settings_options(command: Command) -> Command:
    """The options, for `read_settings`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def load_settings(options: dict[str, str | None], *, serving: bool = True) -> Loaded:
    """The settings under these options. serving: as of `proxy.settings.load`. Raises SettingsError."""
    from proxy.settings import load

    command_line = {name: value for name, value in options.items() if name != "config"}
    config = options.get("config")
    return load(
        config_file=Path(config) if config else None, environ=os.environ, command_line=command_line, serving=serving
    )


def read_settings(options: dict[str, str | None], *, serving: bool = True) -> Loaded:
    """The settings under these options; with mistakes in them, prints all and exits with status 2."""
    from proxy.settings import SettingsError

    try:
        return load_settings(options, serving=serving)
    except SettingsError as error:
        give_up(error)


def give_up(error: SettingsError) -> NoReturn:
    """Print every mistake, exit with status 2."""
    count = len(error.mistakes)
    click.echo(f"sightglass: {'a mistake' if count == 1 else f'{count} mistakes'} in the settings", err=True)
    for mistake in error.mistakes:
        click.echo(f"  {mistake}", err=True)
    sys.exit(EXIT_SETTINGS)
