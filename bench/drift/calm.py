"""An hour of calm before a whole Sightglass: real answers of models that do not change. How often does it cry wolf?

    python -m bench.drift.calm --minutes 60 [--rate 6] [--models 6] [--data DIR] [--split validate]

`sightglass serve` with every default stands between clients and an upstream that gives the recorded answers; the models
take turns in independent, daily swinging and bursty traffic, `rate` calls a second in all, at a tenth of the latencies
that the benchmark makes. At the end: calls, series with a baseline, and each alarm that was raised. Wanted: none.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, web

from bench.drift.__main__ import DATA
from bench.drift.material import read_materials
from bench.drift.stream import Source, bases
from bench.drift.traffic import KINDS
from bench.processes import free_port
from bench.product import Product
from proxy.core.tasks import spawn

_FASTER: Final = 10.0  # than the latencies that the benchmark makes


@dataclass
class Upstream:
    """Gives each call the answer that its client has laid ready under the request's id."""

    ready: dict[str, dict[str, Any]]

    async def chat(self, request: web.Request) -> web.Response:
        record = self.ready.pop(request.headers["X-Request-Id"])
        await asyncio.sleep(record["latency_ms"] / 1000.0 / _FASTER)
        prompt_tokens, completion_tokens = record["prompt_tokens"] or 0, record["completion_tokens"]
        message = {"role": "assistant", "content": record["response"]}
        return web.json_response(
            {
                "object": "chat.completion",
                "model": (await request.json())["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": record["finish_reason"]}],
                "usage": {
                    "prompt_tokens": prompt_tokens,
                    "completion_tokens": completion_tokens,
                    "total_tokens": prompt_tokens + completion_tokens,
                },
            }
        )


async def traffic(product: Product, upstream: Upstream, sources: list[Source], rate: float, minutes: float) -> int:
    """Calls one after the other at an even pace, whatever each takes; how many were answered with 200."""
    answered = asked = 0
    running: set[asyncio.Task[None]] = set()

    async def call(session: ClientSession, name: str, number: int, record: dict[str, Any]) -> None:
        nonlocal answered
        upstream.ready[str(number)] = record
        body = {"model": name, "messages": [{"role": "user", "content": record["prompt"]}]}
        if record["response_format"]:
            body["response_format"] = record["response_format"]
        url = f"{product.url}/v1/chat/completions"
        async with session.post(url, json=body, headers={"X-Request-Id": str(number)}) as answer:
            await answer.read()
            answered += answer.status == 200

    begun = time.monotonic()
    async with ClientSession() as session:
        while (now := time.monotonic() - begun) < 60.0 * minutes:
            await asyncio.sleep(max(asked / rate - now, 0.0))
            source = sources[asked % len(sources)]
            name = f"{source.base.model}-{source.base.traffic}"
            running.add(task := spawn(call(session, name, asked, source.record()), name="call"))
            task.add_done_callback(running.discard)
            asked += 1
            if asked % int(60 * rate) == 0:
                print(f"{asked // int(60 * rate)} min, {answered} answers", file=sys.stderr, flush=True)
        await asyncio.gather(*running, return_exceptions=True)
    return answered


def drift(product: Product, *arguments: str) -> str:
    """What `sightglass drift …` prints."""
    command = [str(Path(sys.executable).with_name("sightglass")), "drift", *arguments, "--data", str(product.data)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


async def run(options: argparse.Namespace, folder: Path) -> None:
    """All of it; prints what came."""
    materials = read_materials(options.data, options.split)
    chosen = []
    for place in range(options.models):
        found = bases(materials, (KINDS[place % len(KINDS)],), seeds=1, models=None)
        chat = [base for base in found if base.world == "chat"]
        chosen.append(chat[place % len(chat)])
    upstream, port = Upstream({}), free_port()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.chat)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    product = Product(folder, upstream=f"http://127.0.0.1:{port}")
    try:
        product.serve()
        await asyncio.to_thread(product.wait_serving)
        sources = [Source(base, materials) for base in chosen]
        answered = await traffic(product, upstream, sources, options.rate, options.minutes)
        rows = await asyncio.to_thread(product.wait_rows, answered)
        print(f"{answered} calls answered, {len(rows)} in the ledger\n\n{drift(product, 'status')}")
        events = [json.loads(line) for line in drift(product, "events", "--json").splitlines()]
        alarms = [event for event in events if event["kind"] == "drift_raised"]
        print(f"alarms raised: {len(alarms)}")
        for event in alarms:
            print(json.dumps(event))
    finally:
        await asyncio.to_thread(product.stop)
        await runner.cleanup()


def main() -> None:
    """Read the options, run in a temporary directory."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift.calm", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="directory of the developer split")
    parser.add_argument("--split", choices=("tune", "validate", "all"), default="validate")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=6.0, help="calls a second, all models together")
    parser.add_argument("--models", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sightglass-calm-") as folder:
        asyncio.run(run(options, Path(folder)))


if __name__ == "__main__":
    main()
