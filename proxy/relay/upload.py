"""A request's body on its way to the upstream, piece by piece, at the pace at which the upstream takes it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from proxy.relay import faults
from proxy.relay.body import Body, BodyRefusedError
from proxy.relay.call import Call
from proxy.relay.connection import UpstreamConnection
from proxy.relay.listener import ClientConnection
from proxy.relay.passage import Passage

log: Final = logging.getLogger("sightglass.relay")

# How often a stalled upload asks whether its client is still there.
_LEFT_CHECK_S: Final = 0.5


class Upload:
    """Sends one body behind its head; `run` ends when all is sent, or when the passage has ended otherwise."""

    __slots__ = ("_body", "_call", "_client", "_connection", "_passage")

    def __init__(
        self, call: Call, client: ClientConnection, connection: UpstreamConnection, passage: Passage, body: Body
    ) -> None:
        self._call, self._client, self._connection = call, client, connection
        self._passage, self._body = passage, body

    async def run(self, pieces: list[bytes]) -> None:
        """Send the body. `pieces`: all of it, when it is whole."""
        call = self._call
        try:
            if self._body.whole:
                for piece in pieces:
                    await self._send(piece)
            else:
                await self._stream()
        except BodyRefusedError as error:
            self._client.persistent = False
            self._passage.give_up(error.fault)
            return
        except ConnectionError:
            return  # the client left: the call is being cancelled
        except (HttpProcessingError, RequestPayloadError) as error:
            self._client.persistent = False
            self._passage.give_up(faults.BAD_REQUEST._replace(message=f"The body is malformed: {error}"))
            error.__traceback__ = None  # see Request.forget_fault; this task may outlive the request
            return
        except Exception:
            log.exception("upload_failed", extra={"call_id": call.notes.call_id})
            self._passage.give_up(faults.INTERNAL)
            return
        call.sent_at = time.monotonic()
        self._passage.wait()

    async def _stream(self) -> None:
        chunked = self._body.length is None
        async for piece in self._body.stream(self._call):
            await self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            await self._send(b"0\r\n\r\n")

    async def _send(self, data: bytes) -> None:
        """Write and wait until more may be written. Meanwhile the client may leave, or the upstream take no more."""
        connection, passage = self._connection, self._passage
        if connection.closed:
            await passage.done  # it ended or is about to; then we are cancelled
            return
        connection.write(data)
        stalled_s = 0.0
        while connection.full:
            try:
                async with asyncio.timeout(_LEFT_CHECK_S):
                    await connection.drain()
            except TimeoutError:
                stalled_s += _LEFT_CHECK_S
                if self._client.has_left():
                    self._client.leave()
                elif stalled_s >= passage.patience_s:
                    passage.give_up(faults.FIRST_BYTE_TIMEOUT)
