"""What the tests of faults share: calls at a steady rate, and the ledger held against what their clients saw."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections import Counter
from typing import Any

import aiohttp

from bench.product import Product

DONE = b"data: [DONE]\n\n"


class Calls:
    """Plain and streamed calls, each with its own request id."""

    def __init__(self, product: Product) -> None:
        self.whole: dict[str, float] = {}  # request id -> seconds from sending to the end
        self.failed: list[str] = []
        self._product = product
        self._number = 0

    async def send(self, count: int, *, rate: float = 50.0, text: str = "hello") -> list[float]:
        """So many calls a second; gives the seconds that each took once all ended."""
        before = set(self.whole)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            began = time.monotonic()
            tasks = []
            for number in range(count):
                await asyncio.sleep(max(began + number / rate - time.monotonic(), 0))
                tasks.append(asyncio.ensure_future(self._send(session, text)))
            await asyncio.gather(*tasks)
        return [took for request_id, took in self.whole.items() if request_id not in before]

    async def _send(self, session: aiohttp.ClientSession, text: str) -> None:
        self._number += 1
        request_id, stream = f"fault-{self._number}", self._number % 2 == 0
        body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": text}]}
        began = time.monotonic()
        url = f"{self._product.url}/v1/chat/completions"
        try:
            async with session.post(url, json=body, headers={"x-request-id": request_id}) as answer:
                content = await answer.read()
                whole = content.endswith(DONE) if stream else content.endswith(b"}\n")
        except aiohttp.ClientError:
            whole = False
        if whole:
            self.whole[request_id] = time.monotonic() - began
        else:
            self.failed.append(request_id)

    async def recorded(self, *, within_s: float, lost: int = 0) -> float:
        """Wait until the ledger has all that clients received whole but `lost`, once each; seconds it took."""
        began = time.monotonic()
        while True:
            rows = self._product.wait_rows(0, timeout_s=0)
            times = Counter(str(row["request_id"]) for row in rows)
            missing = [request_id for request_id in self.whole if request_id not in times]
            if len(missing) <= lost or time.monotonic() - began > within_s:
                break
            await asyncio.sleep(0.1)
        assert [request_id for request_id, count in times.items() if count > 1] == []
        assert len(missing) <= lost, f"{len(missing)} of {len(self.whole)} are missing"
        fates = {row["request_id"]: row["outcome"] for row in rows}
        assert {fates[request_id] for request_id in self.whole if request_id in fates} <= {"ok"}
        return time.monotonic() - began


def health(product: Product) -> dict[str, Any]:
    """What the console says."""
    with urllib.request.urlopen(f"{product.console_url}/health", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


async def until_healthy(product: Product, part: str, *, timeout_s: float = 60.0) -> None:
    """Wait until that part says that it is well."""
    async with asyncio.timeout(timeout_s):
        while (await asyncio.to_thread(health, product))[part]["status"] != "ok":
            await asyncio.sleep(0.2)
