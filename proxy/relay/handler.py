"""One request from its first byte to its last frame. The story of the relay.

accept ─▶ read what routing needs ─▶ started frame ─▶ choose upstream ─▶ attempt ─▶ finished frame
                                                          ▲               │
                                                          └── once more ──┘  a pooled connection that proved dead,
                                                                             or a 400 to the usage we asked for
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError

from proxy.core.config import Config
from proxy.core.tasks import spawn
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counter, Counters
from proxy.journal.writer import JournalWriter
from proxy.relay import faults
from proxy.relay.body import Body, TooLargeError, hold_body, read_body, ready_body
from proxy.relay.call import Call, new_call_id
from proxy.relay.connection import Pool, UpstreamConnection
from proxy.relay.deadlines import Deadlines
from proxy.relay.faults import Fault
from proxy.relay.heads import RequestHead
from proxy.relay.health import health_answer
from proxy.relay.hosts import HostRule
from proxy.relay.listener import CLOSE, KEEP, ClientConnection
from proxy.relay.outbox import Outbox
from proxy.relay.passage import Passage
from proxy.relay.request import Request
from proxy.relay.routing import Routing
from proxy.wire import routes
from proxy.wire.injection import Edit, plan_usage

log: Final = logging.getLogger("sightglass.relay")

OWN_PREFIX: Final = "/-/"
# Bodies up to this go out with the head in one write.
_ONE_WRITE: Final = 64 * 1024
# How often a stalled upload asks whether its client is still there.
_LEFT_CHECK_S: Final = 0.5
_VERSIONS: Final = (HttpVersion11, HttpVersion10)
_INJECTABLE: Final = frozenset({"openai_chat", "openai_completions"})


class RelayHandler:
    """Serves the requests of one relay process."""

    def __init__(
        self,
        config: Config,
        upstreams: Sequence[ResolvedUpstream],
        journal: JournalWriter,
        *,
        worker: int,
    ) -> None:
        self._config = config
        self._journal = journal
        self._counters = journal.counters.words
        self._worker = worker
        self._outbox = Outbox(journal, asyncio.get_running_loop())
        self._loop = asyncio.get_running_loop()
        self._routing = Routing(upstreams)
        self._lanes = {upstream.name: Lane(upstream, journal.counters, self._loop) for upstream in upstreams}
        shortest_s = min(min(upstream.first_byte_s, upstream.between_bytes_s) for upstream in upstreams)
        self._deadlines = Deadlines(self._loop, shortest_s=shortest_s)
        self._hosts = HostRule(config.allowed_hosts)
        self.draining = False  # new calls are refused
        self.stopping = False  # running calls are being cut off

    async def __call__(self, request: Request) -> web.StreamResponse:
        """Handle one request; the answer is written by the time this returns."""
        client = request.protocol
        client.begin(request)
        if request.target.startswith(OWN_PREFIX):
            return self._answer_own(request.target, client)
        call = Call(
            self._journal,
            self._outbox,
            self._config.journal,
            worker=self._worker,
            method=request.method,
            target=request.target,
        )
        try:
            fault = await self._serve(call, client, request)
        except asyncio.CancelledError:
            call.finish(faults.STOPPED if self.stopping else faults.CLIENT_LEFT)
            if client.answered:
                client.break_off()
            raise
        except Exception:
            log.exception("call_failed", extra={"call_id": call.notes.call_id})
            fault = faults.INTERNAL
        if fault is not None:
            self._answer_fault(call, client, fault)
        return KEEP if client.persistent and not self.draining else CLOSE

    def close(self) -> None:
        """Let out what waits, and close the idle upstream connections."""
        self._outbox.flush()
        for lane in self._lanes.values():
            lane.pool.close()

    # -- the story ------------------------------------------------------------------------------------------------

    async def _serve(self, call: Call, client: ClientConnection, request: Request) -> Fault | None:
        """Everything between acceptance and end. None: an answer was passed on whole."""
        target = request.target
        head = RequestHead(request.raw_headers)
        self._introduce(call, client, head)
        content = request.content
        body = ready_body(content, call)
        refusal = self._refusal(call, head, request)
        dialect: routes.Dialect = "other"
        if call.notes.method == "POST" and not head.content_encoded:
            dialect = routes.match(target).dialect
        if body is not None and dialect != "other":
            _note_model(call, body)
        call.start()
        if refusal is None and dialect != "other":
            length = head.length if body is None else body.length
            if (length or 0) > self._config.limits.body_bytes:
                refusal = faults.TOO_LARGE
        if refusal is not None:
            client.persistent = False
            return refusal
        if body is None:
            if head.expects_continue and not client.http_1_0:
                client.send_interim(b"HTTP/1.1 100 Continue\r\n\r\n")
            if dialect != "other":
                try:
                    body = await hold_body(content, call, limit=self._config.limits.body_bytes)
                except TooLargeError:
                    client.persistent = False
                    return faults.TOO_LARGE
                except (HttpProcessingError, web.RequestPayloadError) as error:
                    client.persistent = False
                    return faults.BAD_REQUEST._replace(message=f"The body is malformed: {error}")
                _note_model(call, body)
            else:
                body = Body([], content=content, length=head.length)
        notes = call.notes
        model = notes.model
        if model is None and self._routing.by_model:
            model = _unquoted(routes.model_in_path(target))
        upstream = self._routing.upstream_for(model)
        notes.upstream, notes.upstream_kind = upstream.name, upstream.kind
        lane = self._lanes[upstream.name]
        edit = None
        if notes.stream and dialect in _INJECTABLE and self._config.inject_usage and lane.may_ask_usage:
            edit = plan_usage(read_body(body))
        return await self._forward(call, client, head, body, lane, edit)

    async def _forward(
        self, call: Call, client: ClientConnection, head: RequestHead, body: Body, lane: Lane, edit: Edit | None
    ) -> Fault | None:
        """Attempts until one counts."""
        fresh = asked_without = False
        while True:
            connection = None if fresh else lane.pool.take()
            pooled = connection is not None
            if connection is None:
                began = time.monotonic()
                try:
                    connection = await lane.pool.connect()
                except TimeoutError:
                    return faults.CONNECT_TIMEOUT
                except OSError as error:
                    return faults.CONNECT_FAILED._replace(message=f"{faults.CONNECT_FAILED.message}: {_words(error)}")
                finally:
                    call.waited_s += time.monotonic() - began
            call.notes.attempts += 1
            call.notes.injected = edit is not None
            done: asyncio.Future[Fault | None] = self._loop.create_future()
            passage = Passage(call, client, connection, lane.upstream, self._deadlines, done, injected=edit is not None)
            fault, sent = await self._attempt(call, client, connection, passage, head, body, lane, edit)
            if fault is None and passage.stopped_asking:
                connection.abort()
                call.forget_answer()
                edit, asked_without = None, True
                continue
            if fault is None:
                if asked_without and call.notes.status == 200:
                    lane.may_ask_usage = False
                    log.warning("usage_refused", extra={"upstream": lane.upstream.name})
                if passage.reusable and sent:
                    lane.pool.give_back(connection)
                else:
                    connection.abort()
                return None
            if pooled and not passage.answered and fault in (faults.CLOSED, faults.RESET) and body.whole:
                self._counters[Counter.RETRIES] += 1
                call.forget_answer()
                fresh = True
                continue
            return fault

    async def _attempt(
        self,
        call: Call,
        client: ClientConnection,
        connection: UpstreamConnection,
        passage: Passage,
        head: RequestHead,
        body: Body,
        lane: Lane,
        edit: Edit | None,
    ) -> tuple[Fault | None, bool]:
        """Send the request once and let the answer pass. Gives the fault, and whether the request was sent whole."""
        client.passage = passage
        self._counters[Counter.UPSTREAM_BUSY] += 1
        upload: asyncio.Task[None] | None = None
        try:
            pieces = body.spliced(edit) if body.whole else []
            length = sum(map(len, pieces)) if body.whole else body.length
            first = lane.head_for(call, head, length=length)
            if body.whole and (length or 0) <= _ONE_WRITE:
                call.send(connection.write, b"".join((first, *pieces)) if pieces else first)
                call.sent_at = time.monotonic()
                passage.wait()
            else:
                call.send(connection.write, first)
                await asyncio.sleep(0)  # the outbox is emptied before the body follows
                upload = spawn(self._upload(call, client, connection, passage, body, pieces), name="upload")
            fault = await passage.done
            return fault, upload is None or (upload.done() and not upload.cancelled() and upload.exception() is None)
        except BaseException:
            passage.abandon()
            raise
        finally:
            if upload is not None:
                upload.cancel()
            client.passage = None
            self._counters[Counter.UPSTREAM_BUSY] -= 1

    async def _upload(
        self,
        call: Call,
        client: ClientConnection,
        connection: UpstreamConnection,
        passage: Passage,
        body: Body,
        pieces: list[bytes],
    ) -> None:
        """Send a body piece by piece, at the pace at which the upstream takes it."""
        chunked = body.length is None
        try:
            if body.whole:
                for piece in pieces:
                    await self._send(client, connection, passage, piece)
            else:
                async for piece in body.stream(call):
                    framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
                    await self._send(client, connection, passage, framed)
            if chunked:
                await self._send(client, connection, passage, b"0\r\n\r\n")
        except ConnectionError:
            return  # the client left: the call is being cancelled
        except (HttpProcessingError, web.RequestPayloadError) as error:
            client.persistent = False
            passage.give_up(faults.BAD_REQUEST._replace(message=f"The body is malformed: {error}"))
            return
        except Exception:
            log.exception("upload_failed", extra={"call_id": call.notes.call_id})
            passage.give_up(faults.INTERNAL)
            return
        call.sent_at = time.monotonic()
        passage.wait()

    async def _send(
        self, client: ClientConnection, connection: UpstreamConnection, passage: Passage, data: bytes
    ) -> None:
        """Write and wait until more may be written. Meanwhile the client may leave, or the upstream take no more."""
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
                if client.has_left():
                    client.leave()
                elif stalled_s >= passage.patience_s:
                    passage.give_up(faults.FIRST_BYTE_TIMEOUT)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _introduce(self, call: Call, client: ClientConnection, head: RequestHead) -> None:
        """What the head says of the call."""
        notes = call.notes
        call.request_head = head.kept()
        call.secrets = head.secrets
        if head.request_id is not None:
            call.take_request_id(head.request_id)
        if head.user_agent is not None:
            notes.user_agent = head.user_agent.decode("utf-8", "replace")[:512]
        peer = client.peername
        notes.client = peer[0] if isinstance(peer, tuple) else None

    def _refusal(self, call: Call, head: RequestHead, request: Request) -> Fault | None:
        """Why this request goes no further, if it does not."""
        target = request.target
        if self.draining:
            return faults.SHUTTING_DOWN
        if request.version not in _VERSIONS:
            return faults.BAD_REQUEST._replace(message="The request is neither HTTP/1.1 nor HTTP/1.0.")
        if head.coding is not None and (head.coding != b"chunked" or request.version == HttpVersion10):
            # Taken off here, as it is a hop's own, any further coding would be lost; in HTTP/1.0 there is none.
            return faults.BAD_REQUEST._replace(message="Of transfer codings only HTTP/1.1's chunked is taken.")
        if head.upgrade or call.notes.method in ("CONNECT", "TRACE"):
            return faults.NOT_SUPPORTED
        if not target.startswith("/") or "#" in target:
            return faults.BAD_TARGET
        if not self._hosts.allows(head.host):
            return faults.HOST_REFUSED
        return None

    def _answer_fault(self, call: Call, client: ClientConnection, fault: Fault) -> None:
        """Keep the call, then tell the client: an error while that can be told, else a broken connection."""
        if client.answered:
            call.finish(fault)
            client.break_off()
            return
        call.notes.status = fault.status
        answer = faults.error_answer(
            fault, request_id=call.notes.request_id, close=not client.persistent, head_only=client.head_only
        )
        call.notes.response_bytes = len(answer.partition(b"\r\n\r\n")[2])
        call.finish(fault)
        call.send(client.send, answer)
        self._outbox.flush()  # not at the end of the turn: aiohttp may close the connection before that

    def _answer_own(self, target: str, client: ClientConnection) -> web.StreamResponse:
        """/-/health, for load balancers; nothing else is there."""
        if target.partition("?")[0] == "/-/health":
            words = self._counters
            client.send(
                health_answer(
                    draining=self.draining,
                    worker=self._worker,
                    active=words[Counter.CALLS] - words[Counter.ENDED],
                    journal="backlog" if words[Counter.WRITE_STATE] else "direct",
                    close=not client.persistent,
                    head_only=client.head_only,
                )
            )
        else:
            close, head_only = not client.persistent, client.head_only
            request_id = new_call_id(time.time_ns())
            client.send(
                faults.error_answer(faults.NO_SUCH_PAGE, request_id=request_id, close=close, head_only=head_only)
            )
        return KEEP if client.persistent else CLOSE


class Lane:
    """What leads to one upstream: its connections, its lines in each head, and what it has shown of itself."""

    __slots__ = ("_host_line", "_key_line", "may_ask_usage", "pool", "upstream")

    def __init__(self, upstream: ResolvedUpstream, counters: Counters, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = upstream
        self.pool = Pool(upstream, counters, loop)
        self.may_ask_usage = True  # False: it answered 400 to stream_options and not without
        netloc = upstream.netloc
        self._host_line = b"Host: %b\r\n" % (netloc.encode() if netloc.isascii() else netloc.encode("idna"))
        self._key_line = b""
        if upstream.key is not None:
            self._key_line = b"Authorization: Bearer %b\r\n" % upstream.key.encode("latin-1")

    def head_for(self, call: Call, head: RequestHead, *, length: int | None) -> bytes:
        """The request's head as it goes to this upstream. `length`: of the body; None: it streams, chunked."""
        if length is None:
            framing = b"Transfer-Encoding: chunked\r\n"
        else:
            framing = b"Content-Length: %d\r\n" % length if length or head.length is not None else b""
        return head.to_upstream(
            call.notes.method.encode("ascii"),
            call.notes.target.encode("latin-1"),
            host_line=self._host_line,
            key_line=self._key_line,
            framing=framing,
        )


def _note_model(call: Call, body: Body) -> None:
    peeked = read_body(body)
    call.notes.model, call.notes.stream = peeked.model, peeked.stream


def _unquoted(model: str | None) -> str | None:
    return unquote(model) if model is not None else None


def _words(error: OSError) -> str:
    """Why a connection failed, in words that do not tell the client the upstream's address."""
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return error.strerror or "connection failed"
