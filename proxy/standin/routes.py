"""From a request to its handler, as gin does it for Ollama: guards, routes, 404, 405, redirects, errors in shape.

serve -> control paths | replay | fault in place of an answer | guards -> route -> handler
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from proxy.standin import (
    catalog,
    completions,
    control,
    embeddings,
    faults,
    gate,
    gojson,
    messages,
    native,
    openai,
    replay,
    responses,
    storage,
)  # fmt: skip
from proxy.standin.call import Call, RefusedError, SignInError
from proxy.standin.settings import of_call
from proxy.standin.stats import LastRequest, Left

if TYPE_CHECKING:
    from proxy.standin.connection import Connection
    from proxy.standin.request import Request
    from proxy.standin.server import StandIn

log = structlog.get_logger(__name__)

Handler = Callable[[Call], Awaitable[None]]

# In the order in which Ollama makes gin's method trees: `Allow` lists methods in it.
METHODS = ("HEAD", "GET", "POST", "DELETE")
ROUTES: dict[str, dict[str, Handler]] = {
    "/": {"HEAD": catalog.root, "GET": catalog.root},
    "/api/version": {"HEAD": catalog.version, "GET": catalog.version},
    "/api/tags": {"HEAD": catalog.tags, "GET": catalog.tags},
    "/api/ps": {"GET": catalog.ps},
    "/api/show": {"POST": catalog.show},
    "/api/copy": {"POST": catalog.copy},
    "/api/delete": {"DELETE": catalog.delete},
    "/api/pull": {"POST": storage.pull},
    "/api/push": {"POST": storage.pull},
    "/api/create": {"POST": storage.pull},
    "/api/chat": {"POST": native.chat},
    "/api/generate": {"POST": native.generate_text},
    "/api/embed": {"POST": embeddings.native},
    "/api/embeddings": {"POST": embeddings.native_old},
    "/v1/chat/completions": {"POST": openai.chat},
    "/v1/completions": {"POST": completions.completions},
    "/v1/embeddings": {"POST": embeddings.openai},
    "/v1/models": {"GET": catalog.models},
    "/v1/responses": {"POST": responses.responses},
    "/v1/messages": {"POST": messages.messages},
}
_PATTERNS: tuple[tuple[re.Pattern[str], dict[str, Handler]], ...] = (
    (re.compile(r"/v1/models/[^/]+"), {"GET": catalog.model_one}),
    (re.compile(r"/api/blobs/[^/]+"), {"HEAD": storage.has, "POST": storage.put}),
)


def find(path: str) -> dict[str, Handler] | None:
    """The handlers of a decoded path by method; None = there is no such path."""
    exact = ROUTES.get(path)
    if exact is not None:
        return exact
    return next((handlers for pattern, handlers in _PATTERNS if pattern.fullmatch(path)), None)


async def serve(stand_in: StandIn, connection: Connection, request: Request) -> bool:
    """Answer one request. Returns whether the connection is to be closed. Raises BrokenError, CancelledError."""
    replayed = control.replayed(request)
    if request.path.startswith(control.PREFIX) and replayed is None:
        told = Call(stand_in, connection, request, stand_in.first_settings)
        await control.serve(told)
        return told.answer.close_after
    stats = stand_in.stats
    stats.requests += 1
    stats.active += 1
    stats.by_path[request.target.partition("?")[0]] += 1
    seen = stats.last_request = LastRequest(
        method=request.method,
        target=request.target,
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers],
    )
    began = time.monotonic()
    call: Call | None = None
    try:
        settings = of_call(stand_in.settings, request.headers, replay=replayed)
        control.check(settings)
        call = Call(stand_in, connection, request, settings)
        await _answer(call)
        stats.completed += 1
    except ValueError as error:
        await _complain(stand_in, connection, request, error)
        return True
    except faults.BrokenError:
        stats.broken += 1
        raise
    except asyncio.CancelledError:
        if connection.client_left:
            phase, tokens = (call.phase, call.tokens) if call else ("upload", 0)
            stats.client_left(
                Left(
                    path=request.path, phase=phase if request.whole else "upload", tokens=tokens,
                    after_s=time.monotonic() - began, model=call.model if call else None,
                )
            )  # fmt: skip
        raise
    finally:
        stats.active -= 1
        if call is not None:
            stats.by_status[str(call.answer.status)] += 1
        seen.body_bytes, seen.body_sha256, seen.whole = request.body_bytes, request.sha256, request.whole
    return _after(call)


def _after(call: Call) -> bool:
    """The faults that concern the connection once the answer is out."""
    if call.fault.kind in ("close-on-next", "reset-on-next"):
        call.connection.doomed = call.fault.kind.partition("-")[0]
    return call.answer.close_after or call.fault.kind == "close-after-reply"


async def _complain(stand_in: StandIn, connection: Connection, request: Request, error: ValueError) -> None:
    """A wrong x-stand-in header: say so rather than run a test that means nothing."""
    call = Call(stand_in, connection, request, stand_in.first_settings)
    call.answer.close_after = True
    await call.reply(gojson.dump({"stand_in_error": str(error)}) + b"\n", content_type="application/json", status=400)


async def _answer(call: Call) -> None:
    if call.settings.replay is not None:
        if call.stand_in.recordings is None:
            raise ValueError("no recordings: StandIn(recordings=...) was not given")
        await replay.replay(call, replay.load(call.stand_in.recordings, call.settings.replay))
        return
    fault = call.fault
    if fault.kind == "never-read":
        call.phase = "mute"
        await faults.wait_for_leaving()
    if fault.kind == "early-reply":
        raise_as = RefusedError(fault.number(413), "request body too large")
        await refuse(call, raise_as)
        return
    if fault.kind in faults.AT_START or fault.kind in ("status", "text-status"):
        await call.request.body()
        call.phase = "mute"
        await faults.at_start(call.connection, fault)
        await _fixed_status(call)
        return
    await _dispatch(call)


async def _fixed_status(call: Call) -> None:
    status = call.fault.number(500)
    if call.fault.kind == "text-status":
        await call.reply(b"upstream says no\n", content_type="text/plain; charset=utf-8", status=status)
        return
    said = {503: "server busy, please try again.  maximum pending requests exceeded", 429: "too many requests"}
    if status == 429:
        call.answer.set("Retry-After", "1")
    await refuse(call, RefusedError(status, said.get(status, "the stand-in was told to fail")))


async def _dispatch(call: Call) -> None:
    request, answer = call.request, call.answer
    handlers = find(request.path)
    if handlers is not None and request.method not in handlers:
        answer.set("Allow", ", ".join(method for method in METHODS if method in handlers))
    if not gate.admit(request, answer):
        await answer.finish()
    elif handlers is None:
        await _no_route(call)
    elif request.method not in handlers:
        await call.reply(b"405 method not allowed", content_type="text/plain", status=405)
    else:
        try:
            await handlers[request.method](call)
        except RefusedError as refused:
            await refuse(call, refused)


async def _no_route(call: Call) -> None:
    path, query = call.request.path, call.request.target.partition("?")[2]
    shorter = path.rstrip("/")
    handlers = find(shorter) if shorter and shorter != path else None
    if handlers is None or call.request.method not in handlers:
        await call.reply(b"404 page not found", content_type="text/plain", status=404)
        return
    location = shorter + (f"?{query}" if query else "")
    call.answer.set("Location", location)
    call.answer.status = 301 if call.request.method == "GET" else 307
    if call.request.method in ("GET", "HEAD"):
        call.answer.set("Content-Type", "text/html; charset=utf-8")
    if call.request.method == "GET":
        call.answer.write(f'<a href="{location}">Moved Permanently</a>.\n\n'.encode())
    await call.answer.finish()


async def refuse(call: Call, refused: RefusedError) -> None:
    """An error in the shape of the path's dialect."""
    path, status = call.request.path, refused.status
    if isinstance(refused, SignInError):
        body = gojson.dump({"error": refused.message, "signin_url": refused.signin_url})
        content_type = "application/json; charset=utf-8"
    elif not path.startswith("/v1/"):
        body, content_type = gojson.dump({"error": refused.message}), "application/json; charset=utf-8"
    else:
        kinds = {400: "invalid_request_error", 404: "not_found_error"}
        error = {"message": refused.message, "type": kinds.get(status, "api_error"), "param": None, "code": None}
        shaped: dict[str, object] = {"error": error}
        if path.startswith("/v1/messages"):
            inner = {"type": error["type"], "message": refused.message}
            shaped = {"type": "error", "error": inner, "request_id": f"req_{secrets.token_hex(12)}"}
        body, content_type = gojson.dump(shaped), "application/json; charset=utf-8"
        if not refused.early:
            body, content_type = body + b"\n", "application/json"
    await call.reply(body, content_type=content_type, status=status)
