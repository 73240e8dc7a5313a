"""The measure of all figures: a bare aiohttp pass-through that observes nothing.

Low-level `web.Server`, one `ClientSession`, `iter_any`, uvloop: what one writes first, and what the others are
compared with. Not hardened in any way: `python -m bench.bare --port N --upstream URL`.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Final

import uvloop
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from bench.processes import end_with_parent, raise_file_limit

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# What ClientSession would add of its own accord.
_NOT_ADDED: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def end_to_end(headers: CIMultiDictProxy[str], *, without: str = "") -> CIMultiDict[str]:
    """The fields that travel on."""
    return CIMultiDict((k, v) for k, v in headers.items() if (low := k.lower()) not in HOP_BY_HOP and low != without)


class Bare:
    """One pass-through to one upstream."""

    def __init__(self, session: ClientSession, upstream: str) -> None:
        self._session = session
        self._upstream = upstream.rstrip("/")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One call: request whole, answer as it comes."""
        body = await request.read() if request.can_read_body else None
        async with self._session.request(
            request.method,
            URL(self._upstream + request.raw_path, encoded=True),
            headers=end_to_end(request.headers, without="host"),
            data=body,
            allow_redirects=False,
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers)
            )
            await response.prepare(request)
            async for data in answer.content.iter_any():
                await response.write(data)
            await response.write_eof()
            return response


async def serve(port: int, upstream: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with ClientSession(
        connector=TCPConnector(limit=0),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=_NOT_ADDED,
        timeout=ClientTimeout(total=None),
    ) as session:
        server = web.Server(Bare(session, upstream).handle, access_log=None, auto_decompress=False)
        listener = await loop.create_server(server, "127.0.0.1", port, backlog=4096)
        await stopped.wait()
        listener.close()
        await server.shutdown(1.0)


def main() -> None:
    """Command line of the bare proxy."""
    parser = argparse.ArgumentParser(prog="python -m bench.bare", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="base address, such as http://127.0.0.1:11434")
    options = parser.parse_args()
    end_with_parent()
    raise_file_limit()
    uvloop.run(serve(options.port, options.upstream))


if __name__ == "__main__":
    main()
