"""`sightglass demo`, which `make run` runs: serve, with something to try and, if need be, a model to try it on."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click
import msgspec

from proxy.cli.options import give_up, read_settings, recover_option, settings_options

if TYPE_CHECKING:
    from proxy.cli.probe import Seen
    from proxy.core.upstreams import ResolvedUpstream

STAND_IN_MODEL: Final = "chat"
NOBODY: Final = ("refused", "unknown_name", "timeout", "unreachable")  # then a stand-in may take the place
_LOOPBACK: Final = "127.0.0.1"


@click.command()
@settings_options
@recover_option
def demo(*, recover: bool, **options: str | None) -> None:
    """Run the proxy; with no server there, before a built-in stand-in model.

    This is `sightglass serve` for the first minutes. It looks whether a server answers at the upstream's address.
    If none does, it starts the built-in stand-in model beside itself, says so, and sends calls there. It prints what
    to try next. `make run` runs it; in earnest use `sightglass serve`, which never puts in a stand-in.
    """
    loaded = read_settings(options)
    from proxy.cli.probe import look
    from proxy.cli.welcome import welcome
    from proxy.settings import SettingsError, resolve_upstreams

    try:
        upstreams = resolve_upstreams(loaded.config, os.environ)
    except SettingsError as error:
        give_up(error)
    configured = upstreams[-1]
    command: tuple[str, ...] = ()
    seen = look(configured)
    model: str | None
    if seen.trouble in NOBODY:
        port = _free_port()
        upstreams = (*upstreams[:-1], stood_in(configured, port))
        command = stand_in_command(port)
        model = STAND_IN_MODEL
    elif seen.trouble is not None:
        _say_what_is_wrong(configured, seen)
    else:
        model = first_that_chats(seen.models)
    from proxy.cli.ledger_check import check_ledger
    from proxy.cli.preparing import prepare
    from proxy.supervisor import launch

    check_ledger(loaded.config, recover=recover)
    token = prepare(loaded.config)
    text = welcome(loaded.config, upstream=configured.url, stand_in=bool(command), model=model)
    launch(loaded.config, upstreams, admin_token=token, banner=text, stand_in=command)


def _say_what_is_wrong(upstream: ResolvedUpstream, seen: Seen) -> NoReturn:
    """Somebody is there, but not as the settings say: a stand-in would only hide that."""
    from proxy.cli.doctor.upstreams import judge

    for finding in judge(upstream, seen):
        click.echo(f"sightglass: {finding.found}\n  -> {finding.do}", err=True)
    sys.exit(1)


def stood_in(upstream: ResolvedUpstream, port: int) -> ResolvedUpstream:
    """The upstream with the stand-in in its place; the key of the real one stays out of it."""
    return msgspec.structs.replace(
        upstream, scheme="http", host=_LOOPBACK, port=port, base_path="", kind="ollama", key=None, stand_in=True
    )


def stand_in_command(port: int) -> tuple[str, ...]:
    """What the supervisor runs as one more child. -P: a folder called `proxy` where we were started is not ours."""
    return (sys.executable, "-P", "-m", "proxy", "stand-in", "--host", _LOOPBACK, "--port", str(port))


def first_that_chats(models: tuple[str, ...] | None) -> str | None:
    """A model to put into the lines to try; embedding models answer no chat."""
    named = models or ()
    return next((model for model in named if "embed" not in model and "minilm" not in model), None)


def _free_port() -> int:
    """One that nobody listens at now. Not Ollama's own, so that Ollama can still be started."""
    with socket.socket() as listener:
        listener.bind((_LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port
