"""`sightglass serve`: settings, then the supervisor, which takes this process over."""

from __future__ import annotations

import os

import click

from proxy.cli.options import give_up, read_settings, recover_option, settings_options


@click.command()
@settings_options
@recover_option
def serve(*, recover: bool, **options: str | None) -> None:
    """Run the proxy before your Ollama, LiteLLM or OpenAI-style server.

    Clients change one line, their base_url, to http://127.0.0.1:11435/v1. One line of JSON a call goes to standard
    output; health and metrics are at the console's address. Ctrl-C or SIGTERM lets running calls finish.

    Each option is also a variable (--port: SIGHTGLASS_PORT) and a line of the settings file (port: 11435). All
    settings: `sightglass config show`.
    """
    loaded = read_settings(options)
    from proxy.cli.welcome import greeting
    from proxy.settings import SettingsError, resolve_upstreams

    try:
        upstreams = resolve_upstreams(loaded.config, os.environ)
    except SettingsError as error:
        give_up(error)
    from proxy.cli.ledger_check import check_ledger
    from proxy.cli.preparing import prepare
    from proxy.supervisor import launch

    check_ledger(loaded.config, recover=recover)
    token = prepare(loaded.config)
    launch(loaded.config, upstreams, admin_token=token, banner=greeting(loaded.config, upstreams), options=options)
