"""A relay in this process: handler and listener as in production, its journal in a directory of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxy.core.config import Config
from proxy.core.exchange import Exchange
from proxy.core.otel import telemetry_of
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal import frames
from proxy.journal.counters import Counter
from proxy.journal.reader import JournalReader
from proxy.journal.writer import JournalWriter
from proxy.relay.handler import RelayHandler
from proxy.relay.listener import Listener


def upstream(port: int, **changes: Any) -> ResolvedUpstream:
    """An upstream on this machine, impatient."""
    values: dict[str, Any] = {
        "name": "default",
        "scheme": "http",
        "host": "127.0.0.1",
        "port": port,
        "connect_s": 2.0,
        "first_byte_s": 5.0,
        "between_bytes_s": 5.0,
        "keep_idle_s": 4.0,
    }
    return ResolvedUpstream(**{**values, **changes})


class Rig:
    """One relay. `port` is where clients reach it."""

    def __init__(self, directory: Path, upstreams: tuple[ResolvedUpstream, ...], config: Config) -> None:
        self.directory = directory
        self.journal = JournalWriter(directory, worker=0, settings=config.journal)
        telemetry = telemetry_of(config.otel, {})
        self.handler = RelayHandler(config, upstreams, self.journal, worker=0, telemetry=telemetry)
        self.listener = Listener(self.handler, clients=self.handler.clients, counters=self.journal.counters)
        self.reader = JournalReader(directory, {})
        self.started: list[Any] = []
        self.exchanges: list[Exchange] = []
        self.port = 0
        self._server: Any = None

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(self.listener, "127.0.0.1", 0, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]

    def count(self, counter: Counter) -> int:
        return self.journal.counters.words[counter]

    async def until(self, condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
        """Wait for something that has no event."""
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.005)

    async def ended(self, calls: int, *, within_s: float = 30.0) -> list[Exchange]:
        """All exchanges, once so many calls have ended."""
        await self.until(lambda: self.read() >= calls, within_s=within_s)
        assert len(self.exchanges) == calls, [exchange.finished for exchange in self.exchanges]
        return self.exchanges

    async def last(self, calls: int = 1) -> Exchange:
        return (await self.ended(calls))[-1]

    def read(self) -> int:
        """Read what is new in the journal; gives the number of finished calls so far."""
        for _writer, frame in self.reader.read(most=100_000).frames:
            if frame.kind == frames.STARTED:
                self.started.append(frame.started())
            elif frame.kind == frames.FINISHED:
                self.exchanges.append(frame.exchange())
        return len(self.exchanges)

    async def stop(self) -> None:
        """Stop, and hold what must hold after any test: every call has its end, every connection was given back."""
        self._server.close()
        self.handler.stopping = True
        await self.listener.shutdown(0.1)
        await self.until(lambda: self.count(Counter.CLIENTS) == 0)
        await self.until(lambda: self.count(Counter.ENDED) == self.count(Counter.CALLS))
        self.handler.close()
        assert self.count(Counter.UPSTREAM_BUSY) == 0
        assert self.count(Counter.UPSTREAM_IDLE) == 0
        assert not self.handler.clients._all
        left = [task for task in asyncio.all_tasks() if task.get_name() == "upload"]
        assert not left, left
        self.read()
        assert self.count(Counter.FINISHED_FRAMES) == self.count(Counter.ENDED)
        self.reader.close()
        self.journal.close()
