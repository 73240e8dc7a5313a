"""The stand-in as a server: start and stop it inside a test's loop, or `run` it for the command line.

aiohttp's server is not used here on purpose: the order of a head, the framing of chunks, resets and lies about
lengths must be exact. See connection.py for the sockets, routes.py for what is answered.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from proxy.standin.catalog import Catalog
from proxy.standin.connection import Connection
from proxy.standin.settings import Settings
from proxy.standin.slots import Slots
from proxy.standin.stats import Stats
from proxy.standin.storage import Blobs

BACKLOG = 2048


class StandIn:
    """A server that answers like Ollama. Start it on the running loop; `settings` may be changed at any time."""

    def __init__(self, *, settings: Settings | None = None, recordings: Path | None = None):
        """recordings: folder of FOLDER/NAME.response files for replays; None = replays are refused."""
        self.first_settings = self.settings = settings or Settings()
        self.recordings = recordings
        self.stats = Stats()
        self.slots = Slots()
        self.catalog = Catalog()
        self.blobs = Blobs()
        self.host = "127.0.0.1"
        self.port = 0
        self.open: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one, see `port`. May be called again after a stop."""
        self.host = host
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset what is open. Calls under way are cancelled."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        ended = [connection.ended for connection in self.open]
        for connection in list(self.open):
            connection.reset()
        if ended:
            await asyncio.wait(ended, timeout=5)
        await server.wait_closed()

    def reset(self) -> None:
        """Back to how it started: settings, counts, loaded models."""
        self.settings = self.first_settings
        self.stats.reset()
        self.slots = Slots()
        self.catalog = Catalog()
        self.blobs = Blobs()

    async def __aenter__(self) -> StandIn:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def run(host: str = "127.0.0.1", port: int = 11434, *, settings: Settings | None = None) -> None:
    """Serve until SIGINT or SIGTERM; prints one line at the start. For the command line."""

    async def serve() -> None:
        stand_in = StandIn(settings=settings)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stand_in.start(host, port)
        print(f"stand-in model at {stand_in.url} (not a real one: it says a fixed text)", flush=True)
        await stop.wait()
        await stand_in.stop()

    asyncio.run(serve())
