"""Seeded fuzz of the running product: 0 crashes, hangs, 500s, malformed answers, ambiguous forwards; nothing grows.

    python -m bench.fuzz --count 100000 [--seed N] [--lanes 100]

Each case is one connection: whole requests of every kind, damaged by grammar and by bytes, cut at random, and a last
one that closes (bench/fuzz_requests). Its answers are read strictly. The upstream keeps the exact bytes it got:

- each forwarded request must fit one narrow grammar, with one framing at most;
- h11, a parser of other authors, reads the raw bytes of the case too: what was forwarded must be, in order, what h11
  reads there (method, target, body). Where they differ the case is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

import h11

from bench.fuzz_requests import case, number_in
from bench.processes import free_port
from bench.product import Product

HANG_S: Final = 8.0
_TREND_EVERY: Final = 10_000
_REST_S: Final = 6.0  # until the last connections are closed, also those kept for an upstream
_HEAD: Final = re.compile(
    rb"([A-Z-]+) (/[!-~]*) HTTP/1\.1\r\n(?:[!#$%&'*+.^`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*\r\n"
)
_FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding): ([^\r]*)", re.IGNORECASE)
_ANSWER: Final = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) [\x20-\x7e]*\r\n((?:[!-9;-~]+: [\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n")
_LENGTH: Final = re.compile(rb"(?i)content-length: (\d+)\r\n")
Reading = tuple[bytes, bytes, bytes]  # method, target, body


class Upstream:
    """Answers everything with an empty 200 and keeps what it got, by the number in the target."""

    def __init__(self) -> None:
        self.port = free_port()
        self.got: dict[int, list[Reading]] = defaultdict(list)
        self.ambiguous: list[bytes] = []
        self.requests = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, asyncio.CancelledError
        ):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found, framing = _HEAD.fullmatch(head), _FRAMING.findall(head)
                if found is None or len(framing) > 1 or head.lower().count(b"\r\nhost: ") != 1:
                    self.ambiguous.append(head)
                    break
                body = await self._body(framing, reader)
                self.requests += 1
                self.got[number_in(found[2])].append((found[1], found[2], body))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.transport.abort()

    async def _body(self, framing: list[tuple[bytes, bytes]], reader: asyncio.StreamReader) -> bytes:
        if not framing:
            return b""
        if framing[0][0].lower() == b"content-length":
            return await reader.readexactly(int(framing[0][1]))
        pieces = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            pieces.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return b"".join(pieces)


def h11_reads(raw: bytes) -> list[Reading]:
    """What another parser makes of the bytes, up to where it refuses or closes.

    h11 takes no empty line before a request, and never keeps HTTP/1.0: both are helped over, as RFC 9112 has them.
    """
    readings: list[Reading] = []
    while raw:
        for _ in range(2):
            raw = raw.removeprefix(b"\r\n")
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=10**6)
        connection.receive_data(raw)
        try:
            request, body = connection.next_event(), b""
            if not isinstance(request, h11.Request):
                break
            while isinstance(event := connection.next_event(), h11.Data):
                body += event.data
        except h11.ProtocolError:
            break
        if not isinstance(event, h11.EndOfMessage):
            break
        readings.append((request.method, request.target, body))
        if connection.their_state is h11.MUST_CLOSE and request.http_version != b"1.0":
            break
        raw = connection.trailing_data[0]
    return readings


class Fuzz:
    """All cases of one run, and what was found."""

    def __init__(self, product: Product, upstream: Upstream, *, seed: int, count: int) -> None:
        self.product, self.upstream, self.seed, self.count = product, upstream, seed, count
        self.trend: list[tuple[int, int, float]] = []  # after so many cases: descriptors, resident MB
        self.statuses: Counter[int] = Counter()
        self.finds: list[str] = []
        self._next = 0

    async def run(self, lanes: int) -> None:
        await asyncio.gather(*(self._lane() for _ in range(lanes)))

    async def _lane(self) -> None:
        while self._next < self.count:
            number, self._next = self._next, self._next + 1
            if number % _TREND_EVERY == 0:
                self.trend.append((number, *grown(self.product)))
            raw, pieces = case(self.seed, number)
            try:
                async with asyncio.timeout(HANG_S):
                    told = await self._ask(pieces)
            except TimeoutError:
                self._find("hang", number, raw, b"")
                continue
            except OSError as error:
                self._find(f"connection refused or gone: {error}", number, raw, b"")
                continue
            self._look_at(number, raw, told)

    async def _ask(self, pieces: list[bytes]) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.product.port)
        told = b""
        try:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    told += data
        finally:
            writer.transport.abort()
        return told

    def _look_at(self, number: int, raw: bytes, told: bytes) -> None:
        statuses, rest = read_answers(told)
        self.statuses.update(statuses)
        if 500 in statuses:
            self._find("status 500", number, raw, told)
        if rest and b"HEAD " not in raw and b"HEAD" not in raw.upper():
            self._find("malformed answer", number, raw, told)
        forwarded = self.upstream.got.pop(number, [])
        read = [reading for reading in h11_reads(raw) if number_in(reading[1]) == number]
        if forwarded != read[: len(forwarded)]:
            self._find(f"forwarded {forwarded} where h11 reads {read}", number, raw, told)

    def _find(self, what: str, number: int, raw: bytes, told: bytes) -> None:
        self.finds.append(what)
        if len(self.finds) <= 20:
            print(f"FIND {what}\n  case {self.seed}:{number}\n  sent {raw!r}\n  told {told[:300]!r}", flush=True)


def read_answers(told: bytes) -> tuple[list[int], bytes]:
    """The statuses of all whole answers, and what is left that is none."""
    statuses, at = [], 0
    while at < len(told):
        head = _ANSWER.match(told, at)
        if head is None:
            break
        length = _LENGTH.search(head[2])
        end = head.end() + (int(length[1]) if length else 0)
        if end > len(told) or (length is None and head[1] != b"100"):
            break
        statuses.append(int(head[1]))
        at = end
    return statuses, told[at:]


def grown(product: Product) -> tuple[int, float]:
    """Descriptors and resident MB of the relay."""
    pid = product.pids("relay")[0]
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return len(list(Path(f"/proc/{pid}/fd").iterdir())), pages * 4096 / 1e6


async def play(folder: Path, *, seed: int, count: int, lanes: int) -> int:
    """The whole run; gives the number of finds."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", upstream.port, limit=2**20)
    env = {"SIGHTGLASS_LIMITS__HEAD_S": "1", "SIGHTGLASS_LIMITS__BODY_S": "1", "SIGHTGLASS_LOG__LEVEL": "error"}
    product = Product(folder, env=env, upstream=f"http://127.0.0.1:{upstream.port}")
    product.serve()
    try:
        await asyncio.to_thread(product.wait_serving)
        pids = product.pids("relay")
        await Fuzz(product, upstream, seed=seed + 1, count=min(2000, count)).run(lanes)  # warm
        upstream.got.clear()
        await asyncio.sleep(_REST_S)
        before, began = grown(product), time.monotonic()
        fuzz = Fuzz(product, upstream, seed=seed, count=count)
        await fuzz.run(lanes)
        took_s = time.monotonic() - began
        await asyncio.sleep(_REST_S)
        after = grown(product)
        fuzz.finds += ["crash"] * (product.pids("relay") != pids)
        fuzz.finds += ["ambiguous forward"] * len(upstream.ambiguous)
    finally:
        product.stop()
        server.close()
    print(
        f"{count} cases in {took_s:.0f} s; {upstream.requests} forwarded; "
        f"statuses {dict(sorted(fuzz.statuses.items()))}"
    )
    print(f"descriptors at rest {before[0]} -> {after[0]}, memory {before[1]:.1f} -> {after[1]:.1f} MB")
    print("after   descriptors   memory MB")
    for number, descriptors, resident_mb in fuzz.trend:
        print(f"{number:>6} {descriptors:>12} {resident_mb:>11.1f}")
    print(f"finds: {dict(Counter(find.split(' ')[0] for find in fuzz.finds)) or 'none'}")
    return len(fuzz.finds)


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(prog="python -m bench.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        finds = asyncio.run(play(Path(folder), seed=options.seed, count=options.count, lanes=options.lanes))
    sys.exit(1 if finds else 0)


if __name__ == "__main__":
    main()
