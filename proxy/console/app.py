"""The console: /metrics, /health, /ready, the last calls as JSON, and a page for people. It only reads."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web

from proxy.console.exposition import Exposition
from proxy.console.guard import Guard
from proxy.console.health import Health
from proxy.console.page import render
from proxy.core.call import CallRecord
from proxy.core.call_json import call_json
from proxy.core.config import Config
from proxy.core.errors import LedgerError
from proxy.core.event import Event, event_json
from proxy.core.public import console_guarded
from proxy.relay.hosts import HostRule
from proxy.store import LedgerReader, open_reader

LAST_SHOWN: Final = 20
LAST_MOST: Final = 1000
MODELS_SHOWN: Final = 50

SECURITY: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # not no-referrer: Chromium then sends our own form with `Origin: null`
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Console:
    """The pages, and what they are made of."""

    def __init__(
        self, config: Config, health: Health, exposition: Exposition, *, admin_token: str | None = None
    ) -> None:
        """admin_token: asked for where the settings say so; without one everything but the open pages is closed."""
        self._config = config
        self._data = Path(config.data)
        self._health = health
        self._exposition = exposition
        self._hosts = HostRule(config.allowed_hosts)
        self._guard = Guard((admin_token or secrets.token_hex()) if console_guarded(config) else None)
        self._reader: LedgerReader | None = None
        self._reading = asyncio.Lock()

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(middlewares=[self._admitted_only], client_max_size=4096)
        app.on_response_prepare.append(_secure)
        app.add_routes(
            [
                web.get("/", self.page),
                web.get("/style.css", self.style),
                web.get("/metrics", self._exposition.metrics),
                web.get("/health", self.health),
                web.get("/ready", self.ready),
                web.get("/api/calls", self.calls),
                web.get("/api/events", self.events),
                *self._guard.routes(),
            ]
        )
        return app

    async def page(self, request: web.Request) -> web.Response:
        """What runs, in plain words."""
        report = await asyncio.to_thread(self._health.report)
        try:
            calls: list[CallRecord] | None = await self._last_calls(LAST_SHOWN)
        except LedgerError:
            calls = None
        models = self._health.models(most=MODELS_SHOWN)
        text = render(self._config, report, calls, asked_as=request.host, models=models, guarded=self._guard.guarded)
        return web.Response(text=text, content_type="text/html", charset="utf-8")

    async def style(self, _request: web.Request) -> web.Response:
        """How it looks."""
        text = files("proxy.console").joinpath("style.css").read_text()
        return web.Response(text=text, content_type="text/css", charset="utf-8")

    async def health(self, request: web.Request) -> web.Response:
        """Each part; always 200, as the answer itself came. Who is not the admin is told the one word."""
        report = await asyncio.to_thread(self._health.report)
        return _json(report if self._guard.knows(request) else {"status": report["status"]})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 when calls are taken and recorded, else 503."""
        waiting_for = await asyncio.to_thread(self._health.waiting_for)
        return _json({"ready": not waiting_for, "waiting_for": waiting_for}, status=503 if waiting_for else 200)

    async def calls(self, request: web.Request) -> web.Response:
        """The last calls, oldest first, as `sightglass calls --json` prints them, in a list."""
        return await self._listed(request, self._last_calls, call_json)

    async def events(self, request: web.Request) -> web.Response:
        """The last events, oldest first, as `sightglass events --json` prints them, in a list."""
        return await self._listed(request, self._last_events, event_json)

    async def close(self) -> None:
        """Let go of the ledger."""
        async with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    async def _listed(
        self, request: web.Request, read: Callable[[int], Awaitable[list[T]]], as_json: Callable[[T], dict[str, Any]]
    ) -> web.Response:
        last = request.query.get("last", str(LAST_SHOWN))
        if not (last.isascii() and last.isdigit() and len(last) <= 6):
            return _json({"error": f"last: expected a number, as in {request.path}?last=20"}, status=400)
        try:
            found = await read(min(int(last), LAST_MOST))
        except LedgerError as error:
            return _json({"error": str(error)}, status=503)
        return _json([as_json(each) for each in found])

    async def _last_calls(self, count: int) -> list[CallRecord]:
        async with self._reading:
            return await asyncio.to_thread(
                lambda: [stored.record for stored in self._current_reader().last_calls(count)]
            )

    async def _last_events(self, count: int) -> list[Event]:
        async with self._reading:
            return await asyncio.to_thread(lambda: self._current_reader().events(last=count))

    def _current_reader(self) -> LedgerReader:
        if self._reader is not None and not self._reader.is_current():
            self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader = open_reader(self._data)
        return self._reader

    @web.middleware
    async def _admitted_only(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names that are not ours: a web page must not reach us through one of its own (DNS rebinding).

        And who is not the admin, where that is asked.
        """
        host = request.headers.get("Host")
        if not self._hosts.allows(host.encode("utf-8", "surrogateescape") if host is not None else None):
            text = "This Host is not one that Sightglass answers to; the setting allowed_hosts lists them.\n"
            return web.Response(status=403, text=text)
        return self._guard.refusal(request) or await handler(request)


async def _secure(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY)


def _json(value: object, *, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=body, status=status, content_type="application/json")
