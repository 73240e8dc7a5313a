"""A call's attempts: choose a connection, send the request, let the answer pass; once more where that is right.

Again goes what met a pooled connection that proved dead before a byte of an answer, and a 400 to the usage that only
we asked for. Nothing else: a model may already be at work.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import Final

from proxy.core.tasks import spawn
from proxy.journal.counters import Counter, Counters
from proxy.relay import faults
from proxy.relay.body import Body
from proxy.relay.call import Call
from proxy.relay.connection import UpstreamConnection
from proxy.relay.faults import Fault
from proxy.relay.known_answers import KnownAnswers
from proxy.relay.lane import Lane
from proxy.relay.listener import ClientConnection
from proxy.relay.passage import Passage
from proxy.relay.request import Request
from proxy.relay.tracing import Tracing
from proxy.relay.upload import Upload
from proxy.wire.injection import Edit

log: Final = logging.getLogger("sightglass.relay")

# Bodies up to this go out with the head in one write.
_ONE_WRITE: Final = 64 * 1024
_BUSY: Final = Counter.UPSTREAM_BUSY.value  # a plain number: on the way of each call


class Forwarding:
    """Makes the attempts of one relay process's calls."""

    def __init__(self, counters: Counters, tracing: Tracing, loop: asyncio.AbstractEventLoop) -> None:
        self._counters = counters.words
        self._tracing = tracing
        self._loop = loop
        self._known_answers = KnownAnswers()

    async def forward(
        self, call: Call, client: ClientConnection, request: Request, body: Body, lane: Lane, edit: Edit | None
    ) -> Fault | None:
        """Attempts until one counts. None: an answer was passed on whole."""
        fresh = asked_without = False
        while True:
            call.begin_attempt()
            self._tracing.begin_attempt(call.notes)
            connection = None if fresh else lane.pool.take()
            pooled = connection is not None
            if connection is None:
                found = await _connect(call, lane)
                if isinstance(found, Fault):
                    return found
                connection = found
            call.notes.attempts += 1
            call.notes.injected = edit is not None
            done: asyncio.Future[Fault | None] = self._loop.create_future()
            passage = Passage(
                call,
                client,
                connection,
                lane.upstream,
                done,
                injected=edit is not None,
                known=self._known_answers,
            )
            fault, sent = await self._attempt(call, client, connection, passage, request, body, lane, edit)
            if fault is None and passage.stopped_asking:
                connection.abort()
                call.forget_attempt(None)
                edit, asked_without = None, True
                continue
            if fault is None:
                if asked_without and call.notes.status == 200:
                    lane.usage_refusals.note(call.notes.model)
                    log.warning("usage_refused", extra={"upstream": lane.upstream.name, "model": call.notes.model})
                if passage.reusable and sent:
                    lane.pool.give_back(connection)
                else:
                    connection.abort()
                return None
            if pooled and not passage.answered and fault in (faults.CLOSED, faults.RESET) and body.whole:
                self._counters[Counter.RETRIES] += 1
                call.forget_attempt(fault.code)
                fresh = True
                continue
            return fault

    async def _attempt(
        self,
        call: Call,
        client: ClientConnection,
        connection: UpstreamConnection,
        passage: Passage,
        request: Request,
        body: Body,
        lane: Lane,
        edit: Edit | None,
    ) -> tuple[Fault | None, bool]:
        """Send the request once and let the answer pass. Gives the fault, and whether the request was sent whole."""
        client.passage = passage
        self._counters[_BUSY] += 1
        upload: asyncio.Task[None] | None = None
        try:
            whole, length = body.whole, body.length
            pieces = body.spliced(edit) if whole else []
            if edit is not None and length is not None:
                length += edit.growth
            first = lane.head_for(call, request, length=length, trace_line=self._tracing.line_for(call.notes))
            if whole and (length or 0) <= _ONE_WRITE:
                call.send(connection.write, b"".join((first, *pieces)) if pieces else first)
                call.sent_at = time.monotonic()
                passage.wait()
            else:
                call.send(connection.write, first)
                await asyncio.sleep(0)  # the outbox is emptied before the body follows
                upload = spawn(Upload(call, client, connection, passage, body).run(pieces), name="upload")
            fault = await passage.done
            return fault, upload is None or (upload.done() and not upload.cancelled() and upload.exception() is None)
        except BaseException:
            passage.abandon()
            raise
        finally:
            if upload is not None:
                upload.cancel()
            client.passage = None
            self._counters[_BUSY] -= 1


async def _connect(call: Call, lane: Lane) -> UpstreamConnection | Fault:
    """A fresh connection, or why there is none."""
    began = time.monotonic()
    try:
        return await lane.pool.connect()
    except TimeoutError:
        return faults.CONNECT_TIMEOUT
    except OSError as error:
        return faults.CONNECT_FAILED._replace(message=f"{faults.CONNECT_FAILED.message}: {_words(error)}")
    finally:
        call.waited_s += time.monotonic() - began


def _words(error: OSError) -> str:
    """Why a connection failed, in words that do not tell the client the upstream's address."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return error.strerror or "connection failed"
