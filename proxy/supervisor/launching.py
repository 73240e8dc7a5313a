"""From the command line's process to the supervisor's: what is handed over, and how one becomes the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import msgspec

from proxy.core.config import Config
from proxy.core.upstreams import ResolvedUpstream, to_processes
from proxy.processes import hand


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What launch() hands to the supervisor beside the settings."""

    settings: msgspec.Raw
    banner: str = ""  # printed to standard error once everything serves
    stand_in: tuple[str, ...] = ()  # command of the stand-in model, if one is to run beside us
    options: str | None = None  # of the command line, as JSON, to read the settings anew; None: they stay as they are
    environ: dict[str, str] = {}  # of the start, keys included; for the same


def launch(
    config: Config,
    upstreams: tuple[ResolvedUpstream, ...],
    *,
    admin_token: str | None = None,
    banner: str = "",
    stand_in: tuple[str, ...] = (),
    options: dict[str, str | None] | None = None,
) -> NoReturn:
    """Become the supervisor. Does not return: the command line's memory is given up for a fresh interpreter's.

    options: of the command line, to read the settings anew on SIGHUP; None: then all processes are renewed as they are.
    """
    settings = msgspec.Raw(to_processes(config, upstreams, admin_token=admin_token))
    said = msgspec.json.encode(options).decode() if options is not None else None
    environ = {name: value for name, value in os.environ.items() if _is_text(name + value)}
    orders = Orders(settings=settings, banner=banner, stand_in=stand_in, options=said, environ=environ)
    fd = hand(msgspec.json.encode(orders), "sightglass-orders")
    os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    argv = [sys.executable, "-P", "-m", "proxy.supervisor", str(fd)]
    os.execve(sys.executable, argv, without_keys(config, os.environ))  # noqa: S606 - our own interpreter


def without_keys(config: Config, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for our processes, whose /proc entries others may read: no variable that holds a key."""
    keys = {upstream.key_env for upstream in config.upstreams.values()} | {config.access.token_env}
    return {name: value for name, value in environ.items() if name not in keys}


def _is_text(value: str) -> bool:
    """Whether it can be written as JSON: a variable may hold any bytes, one of ours holds text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
