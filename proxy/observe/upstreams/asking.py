"""One request to an upstream's free path: bounded in time and size, no redirect, no key, nothing unpacked."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from proxy import __version__

TIMEOUT_S: Final = 2.0  # of a health path
LIST_TIMEOUT_S: Final = 5.0  # of a list
HEALTH_BYTES: Final = 4096
LIST_BYTES: Final = 4 * 1024 * 1024  # 1,000 models are 450 KB; a model's licence, template and tensors reach 500 KB

# What a request may end with, but an answer.
TROUBLES: Final = (TimeoutError, OSError, ClientError, ValueError)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TooLong(ValueError):  # noqa: N818 - reads as what is the case
    """The answer is longer than we look at."""


def open_session() -> ClientSession:
    """A session for looking; one connection a request, as looks are seconds apart."""
    return ClientSession(
        timeout=ClientTimeout(total=TIMEOUT_S),
        connector=TCPConnector(force_close=True),
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": f"sightglass/{__version__}", "Accept-Encoding": "identity"},
        auto_decompress=False,
    )


async def get(session: ClientSession, url: str) -> Answer:
    """Ask a health path. A long answer is cut: whoever gives one is there. Raises one of TROUBLES."""
    async with session.get(url, allow_redirects=False) as answer:
        pieces, length = [], 0
        while length < HEALTH_BYTES and (piece := await answer.content.readany()):
            pieces.append(piece)
            length += len(piece)
        return Answer(answer.status, answer.headers, b"".join(pieces)[:HEALTH_BYTES])


async def get_list(session: ClientSession, url: str) -> Answer:
    """Ask for a list, and read it whole. Raises one of TROUBLES."""
    async with session.get(url, allow_redirects=False, timeout=ClientTimeout(total=LIST_TIMEOUT_S)) as answer:
        return await _whole(answer)


async def post(session: ClientSession, url: str, asked: object) -> Answer:
    """Ask with a JSON body, and read the answer whole. Raises one of TROUBLES."""
    body, headers = msgspec.json.encode(asked), {"Content-Type": "application/json"}
    timeout = ClientTimeout(total=LIST_TIMEOUT_S)
    async with session.post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout) as answer:
        return await _whole(answer)


def in_words(error: BaseException) -> str:
    """What went wrong, for people."""
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    reason = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(reason, ssl.SSLError):  # its errno is OpenSSL's, no operating system's
        return f"TLS: {getattr(reason, 'verify_message', '') or reason.reason or 'handshake failed'}"
    number = getattr(reason, "errno", None)
    if isinstance(number, int) and number > 0:  # asyncio's own text holds the address as a tuple
        return os.strerror(number)
    return str(reason)[:200] or type(error).__name__


async def _whole(answer: ClientResponse) -> Answer:
    pieces, length = [], 0
    while piece := await answer.content.readany():
        length += len(piece)
        if length > LIST_BYTES:
            raise TooLong(f"an answer of more than {LIST_BYTES:,} bytes")
        pieces.append(piece)
    return Answer(answer.status, answer.headers, b"".join(pieces))
