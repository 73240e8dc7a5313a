"""Servers to be watched, on real sockets, that count what they are asked."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from proxy.core.config import UpstreamKind
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.upstreams.watcher import Watcher

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
DIGEST_A, DIGEST_B = "a" * 64, "b" * 64


def upstream(port: int, kind: UpstreamKind = "auto", *, name: str = "default") -> ResolvedUpstream:
    return ResolvedUpstream(
        name=name,
        scheme="http",
        host="127.0.0.1",
        port=port,
        kind=kind,
        key="secret",
        connect_s=1,
        first_byte_s=1,
        between_bytes_s=1,
    )


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server on a port of its own."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def watching(*upstreams: ResolvedUpstream, every_s: float = 60, models_s: float = 60) -> AsyncIterator[Watcher]:
    """A watcher that has looked once."""
    watcher = Watcher(upstreams, every_s=every_s, models_s=models_s)
    task = asyncio.get_running_loop().create_task(watcher.run())
    await watcher.looked(patience_s=10)
    yield watcher
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], object], *, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


class FakeOllama:
    """Says what a test wants it to say, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.heads: list[dict[str, str]] = []
        self.version = "0.33.0"
        self.models: list[dict[str, Any]] = [entry("chat:latest")]
        self.loaded: list[dict[str, Any]] = []
        self.shown: dict[str, Any] = {
            "template": "{{ .Prompt }}",
            "model_info": {"general.architecture": "llama", "llama.context_length": 4096},
        }
        self.instead: dict[str, Answer] = {}  # path -> what answers there in place of us

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked[f"{request.method} {request.path}"] += 1
        self.heads.append(dict(request.headers))
        if request.path in self.instead:
            return await self.instead[request.path](request)
        said = {
            "/api/version": {"version": self.version},
            "/api/tags": {"models": self.models},
            "/api/ps": {"models": self.loaded},
            "/api/show": self.shown,
        }.get(request.path)
        return web.json_response(said) if said is not None else web.Response(status=404, text="404 page not found")


def entry(name: str, digest: str = DIGEST_A, **fields: Any) -> dict[str, Any]:
    """As /api/tags lists a model."""
    details = {"family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
    return {"name": name, "model": name, "size": 2_000_000_000, "digest": digest, "details": details, **fields}


def running(name: str, *, left_s: float = 300.0, context: int = 4096) -> dict[str, Any]:
    """As /api/ps lists a model."""
    expires = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() + left_s))
    return {"name": name, "digest": DIGEST_A, "size_vram": 3_000, "expires_at": expires, "context_length": context}
