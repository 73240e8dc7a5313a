"""What a scrape costs, and whom: the page at full caps, and calls while one scrape follows the other.

python -m bench.scraping [--rounds 5] [--calls 400]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.product import Product

_ROUTES = ("/v1/chat/completions", "/v1/completions", "/api/chat", "/api/generate")
_OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}


async def fill(session: aiohttp.ClientSession, *, models: int = 250) -> None:
    """Calls of more models than there are labels for, so that all caps are reached."""
    gate = asyncio.Semaphore(16)

    async def one(path: str, model: str, wish: str) -> None:
        body = {"model": model, "prompt": "a", "messages": [{"role": "user", "content": "a"}]}
        async with gate, session.post(path, json=body, headers={"x-stand-in": wish}) as answer:
            await answer.read()

    for wish in ("fault=status:500", "fault=status:429"):
        await asyncio.gather(*(one(path, f"m-{n}", wish) for path in _ROUTES for n in range(models)))


async def waits_ms(session: aiohttp.ClientSession, calls: int) -> list[float]:
    """How long plain calls took, one after the other."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "a"}]}
    took = []
    for _ in range(calls):
        began = time.perf_counter()
        async with session.post(_ROUTES[0], json=body, headers={"x-stand-in": "token_s=0"}) as answer:
            await answer.read()
        took.append((time.perf_counter() - began) * 1e3)
    return took


async def measure(product: Product, *, rounds: int, calls: int) -> None:
    """Print it."""
    async with aiohttp.ClientSession(product.url) as session, aiohttp.ClientSession(product.console_url) as console:
        await fill(session)
        await asyncio.sleep(3)
        pages: list[tuple[float, int]] = []

        async def scrape() -> None:
            began = time.perf_counter()
            async with console.get("/metrics", headers=_OPENMETRICS) as answer:
                size = len(await answer.read())
            pages.append((time.perf_counter() - began, size))

        await scrape()
        p50, p99 = [], []
        for _ in range(rounds):
            quiet = await waits_ms(session, calls)
            stop = asyncio.Event()

            async def scrapes(stop: asyncio.Event = stop) -> None:
                while not stop.is_set():
                    await scrape()

            async with asyncio.TaskGroup() as group:
                group.create_task(scrapes())
                busy = await waits_ms(session, calls)
                stop.set()
            p50.append(statistics.median(busy) / statistics.median(quiet))
            p99.append(sorted(busy)[-calls // 100] / sorted(quiet)[-calls // 100])
        async with console.get("/metrics") as answer:
            text = await answer.text()
    series = sum(1 for line in text.splitlines() if not line.startswith("#"))
    sets = next(line for line in text.splitlines() if line.startswith("sightglass_label_sets "))
    took = statistics.median(seconds for seconds, _ in pages)
    print(f"page: {series} series, {len(text) / 1e6:.2f} MB ({sets}), {took * 1e3:.0f} ms with OpenMetrics and gzip")
    for name, ratios in (("p50", p50), ("p99", p99)):
        low, high = min(ratios), max(ratios)
        print(f"calls while scraped without end, {name}: x {statistics.median(ratios):.2f} ({low:.2f}-{high:.2f})")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        product = Product(Path(folder))
        try:
            product.start_model()
            product.serve()
            product.wait_serving()
            asyncio.run(measure(product, rounds=arguments.rounds, calls=arguments.calls))
        finally:
            product.stop()


if __name__ == "__main__":
    main()
