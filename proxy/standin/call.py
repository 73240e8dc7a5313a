"""One call under way: what was asked, how to behave, where it stands. Travels through all handlers."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING, Any

from proxy.standin import faults, gojson
from proxy.standin.answer import Answer

if TYPE_CHECKING:
    from proxy.standin.connection import Connection
    from proxy.standin.request import Request
    from proxy.standin.server import StandIn
    from proxy.standin.settings import Settings


class RefusedError(Exception):
    """An error answer. `early`: refused by the /v1 layer before the model's handler saw it (other content type)."""

    def __init__(self, status: int, message: str, *, early: bool = False):
        super().__init__(message)
        self.status, self.message, self.early = status, message, early


class SignInError(RefusedError):
    """A cloud model without an account: the native shape on every path, the error a text."""

    def __init__(self, name: str):
        super().__init__(401, "unauthorized")
        self.signin_url = f"https://ollama.com/connect?name=stand-in&key={name}"


class Call:
    """A request being answered. `phase` says what the client is waiting for, `tokens` how many were said."""

    def __init__(self, stand_in: StandIn, connection: Connection, request: Request, settings: Settings):
        self.stand_in, self.connection, self.request, self.settings = stand_in, connection, request, settings
        self.fault = faults.named(settings.fault, after=settings.after, pause_s=settings.slow_head_s)
        self.answer = Answer(connection, request, self.fault, chunk_bytes=settings.chunk_bytes)
        self.began_ns = time.monotonic_ns()
        self.phase = "upload"
        self.tokens = 0
        self.model: str | None = None

    @property
    def old(self) -> bool:
        """Whether to answer as before Ollama 0.32.6."""
        return self.settings.style == "old"

    async def json(self) -> Any:
        """The request's JSON. Raises gojson.DecodeError."""
        body = await self.request.body()
        self.phase = "answer"
        return gojson.load(body)

    async def reply(self, body: bytes, *, content_type: str, status: int = 200) -> None:
        """A plain answer; compressed only if told so, as cloud models' answers are."""
        if self.settings.gzip and b"gzip" in self.request.field(b"accept-encoding").lower():
            body = gzip.compress(body, mtime=0)
            self.answer.set("Content-Encoding", "gzip")
        self.answer.status = status
        self.answer.set("Content-Type", content_type)
        self.answer.write(body)
        await self.answer.finish()
