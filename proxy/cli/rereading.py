"""Reads the settings anew for a running supervisor: `python -m proxy.cli.rereading ENVIRON_FD FOUND_FD OPTIONS`."""

from __future__ import annotations

import os
import sys

import msgspec

from proxy.processes import read_handed
from proxy.supervisor.rereading import Found


def found(options: dict[str, str | None]) -> Found:
    """The settings that hold now, or every mistake in them."""
    from proxy.cli.options import load_settings
    from proxy.cli.preparing import prepare
    from proxy.core.upstreams import to_processes
    from proxy.settings import SettingsError, resolve_upstreams

    try:
        config = load_settings(options).config
        upstreams = resolve_upstreams(config, os.environ)
        token = prepare(config)
    except SettingsError as error:
        return Found(mistakes=tuple(map(str, error.mistakes)))
    return Found(settings=msgspec.Raw(to_processes(config, upstreams, admin_token=token)))


def main() -> None:
    """Entry point of the process."""
    environ_fd, found_fd, options = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    os.environ.clear()
    os.environ.update(msgspec.json.decode(read_handed(environ_fd), type=dict[str, str]))
    os.write(found_fd, msgspec.json.encode(found(msgspec.json.decode(options, type=dict[str, str | None]))))


if __name__ == "__main__":
    main()
