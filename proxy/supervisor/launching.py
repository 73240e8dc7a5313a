"""From the command line's process to the supervisor's: what is handed over, and how one becomes the other."""

from __future__ import annotations

import os
import sys
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


def launch(
    config: Config,
    upstreams: tuple[ResolvedUpstream, ...],
    *,
    admin_token: str | None = None,
    banner: str = "",
    stand_in: tuple[str, ...] = (),
) -> NoReturn:
    """Become the supervisor. Does not return: the command line's memory is given up for a fresh interpreter's."""
    settings = msgspec.Raw(to_processes(config, upstreams, admin_token=admin_token))
    orders = Orders(settings=settings, banner=banner, stand_in=stand_in)
    fd = hand(msgspec.json.encode(orders), "sightglass-orders")
    os.set_inheritable(fd, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "proxy.supervisor", str(fd)])  # noqa: S606 - our own interpreter
