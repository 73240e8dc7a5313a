"""/metrics: text 0.0.4 or OpenMetrics, as the scraper asks; rendered in a thread, packed when it can unpack."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import Final

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from proxy.observe.metrics import Metrics

_LEVEL: Final = 1  # names repeat: level 1 makes 1/5 to 1/12 of it already


class Exposition:
    """Answers scrapes, one after the other."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._one = asyncio.Lock()

    async def metrics(self, request: web.Request) -> web.Response:
        """The page."""
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        async with self._one:
            body, content_type = await asyncio.to_thread(self._render, request.headers.get("Accept", ""), packed=packed)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    def _render(self, accept: str, *, packed: bool) -> tuple[bytes, str]:
        began = time.perf_counter()
        encode, content_type = choose_encoder(accept)
        body = encode(self._metrics.registry)
        body = gzip.compress(body, _LEVEL) if packed else body
        self._metrics.scraped(time.perf_counter() - began)
        return body, content_type
