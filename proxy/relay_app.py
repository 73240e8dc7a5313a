"""A relay process: listener, handler, upstream connections and its own journal. `python -m proxy.relay_app`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Final

import uvloop
from setproctitle import setproctitle

from proxy.control.snapshot import control_path
from proxy.control.telling import TellingHandler
from proxy.core.config import Config
from proxy.core.logs import level_of, log_to_stderr
from proxy.core.otel import telemetry_of
from proxy.core.tasks import first_of
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counter
from proxy.journal.segments import journal_directory
from proxy.journal.writer import JournalWriter
from proxy.orphans import watch_parent
from proxy.processes import RETIRE, ChildArguments, child_arguments, read_settings, tell_ready
from proxy.relay.handler import RelayHandler
from proxy.relay.incoming import PARSES_IN_C
from proxy.relay.listener import Listener
from proxy.relay.retiring import retire

_LOOK_S: Final = 0.02
# Garbage is mostly freed by counting; the collector's pauses shall not fall into streams more often than needed.
_GC_THRESHOLD: Final = (50_000, 20, 50)


async def serve(
    arguments: ChildArguments, config: Config, upstreams: tuple[ResolvedUpstream, ...], journal: JournalWriter
) -> None:
    """Serve until told to leave, then let running calls finish."""
    loop = asyncio.get_running_loop()
    leave, succeeded = asyncio.Event(), asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGQUIT):
        loop.add_signal_handler(name, leave.set)
    loop.add_signal_handler(RETIRE, succeeded.set)
    watch_parent(loop, arguments.life_fd, Path(config.data), leave.set, retire=succeeded.set)

    telemetry = telemetry_of(config.otel, os.environ)
    control = control_path(Path(config.data))
    handler = RelayHandler(config, upstreams, journal, worker=arguments.worker, telemetry=telemetry, control=control)
    listener = Listener(handler, clients=handler.clients, counters=journal.counters)
    servers = [
        await loop.create_server(listener, sock=socket.socket(fileno=fd), backlog=4096)
        for fd in (arguments.socket_fd, *arguments.adopted_fds)
    ]
    tell_ready(arguments.ready_fd)

    await first_of(leave, succeeded)
    for server in servers:
        server.close()
    if succeeded.is_set():
        journal.counters.words[Counter.DRAINING] = 1
        await retire(handler, listener, leave)
    await drain(handler, listener, journal, drain_s=config.drain_s)
    handler.close()


async def drain(handler: RelayHandler, listener: Listener, journal: JournalWriter, *, drain_s: float) -> None:
    """Take no new calls, let the running ones finish for `drain_s`, cut off the rest."""
    loop = asyncio.get_running_loop()
    handler.draining = True
    journal.counters.words[Counter.DRAINING] = 1
    deadline = loop.time() + drain_s
    while listener.connections and loop.time() < deadline:
        listener.stop_idle()
        await asyncio.sleep(_LOOK_S)
    handler.stopping = True
    await listener.shutdown(0.1)


def main() -> None:
    """Entry point of the process."""
    arguments = child_arguments()
    setproctitle(f"sightglass: relay {arguments.worker}")
    log_to_stderr()
    if not PARSES_IN_C:
        raise SystemExit("aiohttp runs without its C parser (AIOHTTP_NO_EXTENSIONS?): Sightglass does not serve so")
    config, upstreams = read_settings(arguments.settings_fd)
    logging.getLogger().setLevel(level_of(config.log, "relay"))
    logging.getLogger().addHandler(TellingHandler(Path(config.data)))
    journal = JournalWriter(journal_directory(Path(config.data)), worker=arguments.worker, settings=config.journal)
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
    try:
        uvloop.run(serve(arguments, config, upstreams, journal))
    finally:
        journal.close()


if __name__ == "__main__":
    main()
