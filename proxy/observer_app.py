"""The observer process: reads the journal into the ledger, and serves the console. `python -m proxy.observer_app`."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aiohttp import web
from setproctitle import setproctitle

from proxy.console.app import Console
from proxy.console.exposition import Exposition
from proxy.console.health import Health
from proxy.core.config import Config
from proxy.core.event import Event
from proxy.core.logs import level_of, log_to_stderr
from proxy.core.otel import telemetry_of
from proxy.core.tasks import spawn
from proxy.core.upstreams import SECRET_BYTES, ResolvedUpstream
from proxy.observe.call_log import CallLog
from proxy.observe.definitions import JUDGE_ANSWERS
from proxy.observe.exports import Exports
from proxy.observe.guards import FAIL_VARIABLE, Guards
from proxy.observe.log.outputs import LogOutputs, otlp_output
from proxy.observe.log.received import Received
from proxy.observe.log.trouble import TroubleHandler, sentry_handler
from proxy.observe.metrics import Metrics
from proxy.observe.observing import Observing
from proxy.observe.scrape import Scrape
from proxy.observe.sinks import Sink
from proxy.observe.upstreams.watcher import Watcher
from proxy.orphans import watch_parent
from proxy.processes import ChildArguments, child_arguments, read_admin_token, read_settings, tell_ready

if TYPE_CHECKING:
    from proxy.analyse.drift.live import LiveDrift
    from proxy.observe.quality.judge import Judge

_LOOK_S: Final = 0.5  # prices want to know what the upstream is, calls which model; a mute one is not waited for
_CONSOLE_S: Final = 1.0  # for pages under way when we leave
# Garbage is freed by counting; a pass makes ten thousand objects and keeps them until its commit, which the collector
# would look through again and again: a twentieth of the observer's time.
GC_THRESHOLD: Final = (50_000, 20, 50)


def open_judge(config: Config, guards: Guards, metrics: Metrics) -> Judge | None:
    """The judge of the settings, begun; None = there is none, and nothing is imported for it."""
    if config.quality.judge.model is None:
        return None
    from proxy.observe.quality.judge import Judge

    judge = Judge(config, guards, told=metrics.graded)
    metrics.at_scrape(lambda: metrics.set(JUDGE_ANSWERS, {(fate,): count for fate, count in judge.fates.items()}))
    return judge


def open_drift(config: Config, guards: Guards, metrics: Metrics, exports: Exports) -> LiveDrift | None:
    """The drift detector; None = it is off."""
    if not config.drift.enabled:
        return None
    from proxy.analyse.drift.live import LiveDrift

    def told(event: Event) -> None:
        try:
            exports.tell(event)
        except Exception as error:
            guards.note("spans", error)

    return LiveDrift(config, guards, metrics, told=told)


async def serve(arguments: ChildArguments, config: Config, upstreams: tuple[ResolvedUpstream, ...]) -> None:
    """Observe until told to leave, then read what is left."""
    loop = asyncio.get_running_loop()
    leave = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGQUIT):
        loop.add_signal_handler(name, leave.set)
    watch_parent(loop, arguments.life_fd, Path(config.data), leave.set)

    watcher = Watcher(upstreams, every_s=config.observer.probe_s, models_s=config.observer.models_s)
    watching = spawn(watcher.run(), name="watcher")
    telemetry = telemetry_of(config.otel, os.environ)
    outputs = LogOutputs(config.log, otlp=otlp_output(telemetry.logs))
    logging.getLogger().addHandler(TroubleHandler(outputs))
    sentry = sentry_handler(config.sentry, os.environ)
    if sentry is not None:
        logging.getLogger().addHandler(sentry)
    metrics = Metrics((upstream.name for upstream in upstreams), config.metrics)
    guards = Guards(os.environ.get(FAIL_VARIABLE, ""))

    def opened(last_success: Mapping[str, int]) -> None:
        for upstream, started_unix_ns in last_success.items():
            metrics.succeeded(upstream, started_unix_ns / 1e9)

    exports = Exports(telemetry, config.otel, upstreams, watcher.kind, guards)
    judge = open_judge(config, guards, metrics)
    call_log = CallLog(config.log, outputs)
    sinks: tuple[Sink, ...] = (metrics, call_log, *exports.sinks, *((judge,) if judge is not None else ()))
    drift = open_drift(config, guards, metrics, exports)
    if drift is not None:
        sinks = (*sinks, drift)
    observing = Observing(
        config, sinks, guards, watcher.kind, watcher=watcher, opened=opened,
        signalling=drift, reader=drift,
        keys={
            one.name: one.key.encode("latin-1")
            for one in upstreams
            if one.key is not None and len(one.key) >= SECRET_BYTES
        },
    )  # fmt: skip
    Scrape(metrics, observing, watcher, outputs, exports, Path(config.data))
    health = Health(
        config, upstreams, observing, watcher, metrics.last_success, drift=drift.report if drift is not None else None
    )
    console = Console(config, health, Exposition(metrics), admin_token=read_admin_token(arguments.settings_fd))
    runner = web.AppRunner(console.app(), access_log=None, shutdown_timeout=_CONSOLE_S)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=arguments.socket_fd)).start()
    # Only now: one that does not come up would take the name from the observer that goes on.
    received = Received(Path(config.data), outputs, guards)
    received.start(loop)
    tell_ready(arguments.ready_fd)
    await watcher.looked(patience_s=_LOOK_S)
    observing.start()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)

    await leave.wait()
    watching.cancel()
    observing.stop()
    if judge is not None:
        judge.close()
    await asyncio.to_thread(observing.wait)
    await runner.cleanup()
    await console.close()
    received.close(loop)
    closing = [exports.close, outputs.close, *((sentry.close,) if sentry is not None else ())]
    await asyncio.gather(*map(asyncio.to_thread, closing))


def main() -> None:
    """Entry point of the process."""
    arguments = child_arguments()
    setproctitle("sightglass: observer")
    log_to_stderr()
    config, upstreams = read_settings(arguments.settings_fd)
    logging.getLogger().setLevel(level_of(config.log, "observer"))
    asyncio.run(serve(arguments, config, upstreams))


if __name__ == "__main__":
    main()
