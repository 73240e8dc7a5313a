"""`sightglass token`: where the console's admin token is. Makes it when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import click

from proxy.cli.options import give_up, read_settings


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", metavar="DIR", help="Data directory.  [default: settings]")
@click.option("--config", metavar="FILE", help="Settings file.")
@click.option("--show", is_flag=True, help="Print the token itself.")
def token(*, data: str | None, config: str | None, show: bool) -> None:
    """Say where the console's admin token is; make it if there is none.

    It opens the console's login page, and is what programs send as `Authorization: Bearer TOKEN`. To have another one,
    remove the file and start Sightglass anew, or name your own by access.token_env or access.token_file.
    """
    loaded = read_settings({"config": config, "data": data}, serving=False)
    from proxy.control.admin_token import make_token, token_path
    from proxy.settings import SettingsError, resolve_admin_token

    settings = loaded.config
    own = settings.access.token_env or settings.access.token_file
    try:
        if own is None:
            make_token(Path(settings.data))
        found = resolve_admin_token(settings, os.environ)
    except OSError as error:
        raise click.ClickException(f"{settings.data} cannot be written to: {error.strerror}") from error
    except SettingsError as error:
        give_up(error)
    if show:
        click.echo(found)
    elif settings.access.token_env is not None:
        click.echo(f"in the variable {settings.access.token_env}")
    else:
        click.echo(settings.access.token_file or token_path(Path(settings.data)))
