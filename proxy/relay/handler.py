"""One request from its first byte to its last frame. The story of the relay.

accept ─▶ read what routing needs ─▶ started frame ─▶ choose upstream ─▶ attempt ─▶ finished frame
                                                          ▲               │
                                                          └── once more ──┘  a pooled connection that proved dead,
                                                                             or a 400 to the usage we asked for
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError

from proxy.control.following import Follower
from proxy.core.config import Config
from proxy.core.otel import Telemetry
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counter
from proxy.journal.writer import JournalWriter
from proxy.relay import faults
from proxy.relay.admission import Admission
from proxy.relay.body import Body, BodyRefusedError, Bounds, hold_body, read_body, ready_body, whole_body
from proxy.relay.call import Call, new_call_id
from proxy.relay.clients import Clients
from proxy.relay.faults import Fault
from proxy.relay.forwarding import Forwarding
from proxy.relay.health import health_answer
from proxy.relay.lane import Lane
from proxy.relay.listener import ClientConnection
from proxy.relay.memory import Memory
from proxy.relay.outbox import Outbox
from proxy.relay.request import Request
from proxy.relay.routing import Routing
from proxy.relay.tracing import Tracing
from proxy.wire import routes
from proxy.wire.injection import plan_usage

log: Final = logging.getLogger("sightglass.relay")

_BLOBS: Final = "/api/blobs/"
OWN_PREFIX: Final = "/-/"
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
        telemetry: Telemetry | None = None,
        control: Path | None = None,
    ) -> None:
        """`control`: the control snapshot to go by; None: there is none."""
        self._config = config
        self._journal = journal
        self._counters = journal.counters.words
        self._worker = worker
        loop = asyncio.get_running_loop()
        self._outbox = Outbox(journal, loop)
        self._routing = Routing(upstreams)
        self._lanes = {upstream.name: Lane(upstream, journal.counters, loop) for upstream in upstreams}
        shortest_s = min(min(upstream.first_byte_s, upstream.between_bytes_s) for upstream in upstreams)
        self._tracing = Tracing(telemetry or Telemetry())
        self._forwarding = Forwarding(journal.counters, self._tracing, loop)
        self.admission = Admission(config, upstreams)
        self._follower = Follower(control, self.admission.take) if control is not None else None
        if self._follower is not None:
            self._follower.start(loop)
        limits = config.limits
        self._bounds = Bounds(limits.body_bytes, limits.body_s, limits.body_s)
        self._memory = Memory(limits.memory_bytes)
        self.clients = Clients(limits, journal.counters, self._memory, loop, shortest_s=shortest_s)
        self.retiring = False  # another relay has our place: what still comes is served, then its connection closed
        self.draining = False  # new calls are refused
        self.stopping = False  # running calls are being cut off

    async def __call__(self, request: Request) -> bool:
        """Handle one request: its answer is written on return. Gives whether the connection may carry another."""
        client = request.client
        client.begin(request)
        if self.retiring:
            client.persistent = False
        if request.target.startswith(OWN_PREFIX):
            if client.writing_paused:
                await client.taken()
            return self._answer_own(request, client)
        call = Call(
            self._journal,
            self._outbox,
            self._config.journal,
            worker=self._worker,
            method=request.method,
            target=request.target,
        )
        if self._follower is not None:
            self._follower.look_for_call(call.began_at)
        counted = client.call_begins()
        try:
            if client.writing_paused:  # it sends requests and reads no answers
                await client.taken()
            fault = await self._serve(call, client, request, self._no_room(client, counted=counted))
        except asyncio.CancelledError:
            left = faults.CLIENT_STALLED if client.stalled else faults.CLIENT_LEFT
            call.finish(faults.STOPPED if self.stopping else left)
            if client.answered:
                client.break_off()
            raise
        except Exception:
            log.exception("call_failed", extra={"call_id": call.notes.call_id})
            fault = faults.INTERNAL
        finally:
            if counted:
                client.call_ends()
        if fault is not None:
            self._answer_fault(call, client, fault)
        if not client.persistent and not request.content.is_eof():
            request.let_go_of_body()
            if fault is None:
                client.finish()  # answered before its body was whole
        return client.persistent and not self.draining

    def close(self) -> None:
        """Let out what waits, and close the idle upstream connections."""
        self._outbox.flush()
        for lane in self._lanes.values():
            lane.pool.close()

    # -- the story ------------------------------------------------------------------------------------------------

    async def _serve(
        self, call: Call, client: ClientConnection, request: Request, no_room: Fault | None
    ) -> Fault | None:
        """Everything between acceptance and end. None: an answer was passed on whole."""
        target = request.target
        head, known, content = request.head, request.known, request.content
        self._introduce(call, client, request)
        dialect: routes.Dialect = "other"
        body: Body | None
        if known is not None:
            body = whole_body(request.body, call)
            dialect = known.dialect
        else:
            body = ready_body(content, call)
            if request.method == "POST" and not head.content_encoded:
                dialect = routes.match(target).dialect
        refusal = no_room or self.admission.refusal(request, call.notes)
        if known is None and refusal is None and request.raw_head is not None:
            self.clients.known_heads.learn(request.raw_head, request.message, head, dialect)
        if body is not None and dialect != "other":
            _note_model(call, body)
        call.start()
        bounds = self._bounds_for(target)
        if refusal is None and bounds.most_bytes is not None:
            length = head.length if body is None else body.length
            if (length or 0) > bounds.most_bytes:
                refusal = faults.TOO_LARGE
        if refusal is not None:
            client.persistent = False
            return refusal
        if body is None:
            if head.expects_continue and not client.http_1_0:
                client.send_interim(b"HTTP/1.1 100 Continue\r\n\r\n")
            if dialect != "other":
                try:
                    body = await hold_body(content, call, bounds=bounds, memory=self._memory)
                except BodyRefusedError as error:
                    client.persistent = False
                    return error.fault
                except (HttpProcessingError, RequestPayloadError) as error:
                    client.persistent = False
                    error.__traceback__ = None  # see Request.forget_fault
                    return faults.BAD_REQUEST._replace(message=f"The body is malformed: {error}")
                _note_model(call, body)
            else:
                body = Body([], content=content, length=head.length, bounds=bounds)
        notes = call.notes
        model = notes.model
        if model is None and self._routing.by_model:
            model = _unquoted(routes.model_in_path(target))
        upstream = self._routing.upstream_for(model)
        notes.upstream, notes.upstream_kind = upstream.name, upstream.kind
        lane = self._lanes[upstream.name]
        edit = None
        if notes.stream and dialect in _INJECTABLE and self._config.inject_usage:
            edit = None if lane.usage_refusals.holds(notes.model) else plan_usage(read_body(body))
        return await self._forwarding.forward(call, client, request, body, lane, edit)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _introduce(self, call: Call, client: ClientConnection, request: Request) -> None:
        """What the head says of the call."""
        notes, head, known = call.notes, request.head, request.known
        call.request_head = head.kept() if known is None else known.kept(len(request.body))
        call.secrets = head.secrets
        if head.request_id is not None:
            call.take_request_id(head.request_id)
        notes.user_agent = head.user_agent_text() if known is None else known.user_agent
        notes.client = client.address or None
        self._tracing.begin(notes, head)

    def _no_room(self, client: ClientConnection, *, counted: bool) -> Fault | None:
        """Why no call is taken now, whatever it is. `counted`: this client may have one more."""
        if client.refused is not None:
            return client.refused
        if self.draining:
            return faults.SHUTTING_DOWN
        if self._memory.full:
            return faults.OVERLOADED
        return None if counted else faults.TOO_MANY_CALLS

    def _bounds_for(self, target: str) -> Bounds:
        """What a body to this target may be. Model files for Ollama are gigabytes."""
        return self._bounds._replace(most_bytes=None, in_all_s=None) if target.startswith(_BLOBS) else self._bounds

    def _answer_fault(self, call: Call, client: ClientConnection, fault: Fault) -> None:
        """Keep the call, then tell the client: an error while that can be told, else a broken connection."""
        if client.answered:
            call.finish(fault)
            client.break_off()
            return
        call.notes.status = fault.status
        answer = faults.error_answer(
            fault,
            request_id=call.notes.request_id,
            close=not client.persistent,
            head_only=client.head_only,
            target=call.notes.target,
        )
        call.notes.response_bytes = len(answer.partition(b"\r\n\r\n")[2])
        call.finish(fault)
        call.send(client.send, answer)
        self._outbox.flush()  # not at the end of the turn: aiohttp may close the connection before that
        if not client.persistent:
            client.finish()

    def _answer_own(self, request: Request, client: ClientConnection) -> bool:
        """/-/health, for load balancers; nothing else is there."""
        target = request.target
        refusal = self.admission.refusal_of_own(request)
        if refusal is not None or not request.content.is_eof():
            client.persistent = False  # nobody waits for the body
        if refusal is not None:
            client.send(
                faults.error_answer(
                    refusal, request_id=new_call_id(time.time_ns()), close=True, head_only=client.head_only
                )
            )
            client.finish()
        elif target.partition("?")[0] == "/-/health":
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
        return client.persistent


def _note_model(call: Call, body: Body) -> None:
    peeked = read_body(body)
    call.notes.model, call.notes.stream = peeked.model, peeked.stream


def _unquoted(model: str | None) -> str | None:
    return unquote(model) if model is not None else None
