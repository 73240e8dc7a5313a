"""Blobs and pulls: uploads of any size are hashed as they come and not kept; a pull tells its progress line by line."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, wishes
from proxy.standin.call import RefusedError

if TYPE_CHECKING:
    from proxy.standin.call import Call

_DIGEST = re.compile(r"^sha256[:-][0-9a-fA-F]{64}$")
LINES = "application/x-ndjson"
NATIVE_JSON = "application/json; charset=utf-8"


class Blobs:
    """Digests of the blobs that were stored."""

    def __init__(self) -> None:
        self.known: set[str] = set()


def _digest(call: Call) -> str:
    digest = call.request.path.rpartition("/")[2]
    if not _DIGEST.match(digest):
        raise RefusedError(400, "invalid digest format")
    return digest.replace("-", ":").lower()


async def has(call: Call) -> None:
    """HEAD /api/blobs/{digest}."""
    digest = _digest(call)
    if digest not in call.stand_in.blobs.known:
        raise RefusedError(404, f"blob {digest!r} not found")
    await call.answer.finish()


async def put(call: Call) -> None:
    """POST /api/blobs/{digest}: 200 at once and unread if it is there, else 201 once the bytes fit the digest."""
    digest = _digest(call)
    if digest in call.stand_in.blobs.known:
        await call.answer.finish()
        return
    read = hashlib.sha256()
    async for piece in call.request.pieces():
        read.update(piece)
    call.phase = "answer"
    if f"sha256:{read.hexdigest()}" != digest:
        raise RefusedError(400, f'digest mismatch, expected "{digest}", got "sha256:{read.hexdigest()}"')
    call.stand_in.blobs.known.add(digest)
    call.answer.status = 201
    await call.answer.finish()


async def pull(call: Call) -> None:
    """POST /api/pull, push and create: the lines of a pull, paced by token_s."""
    asked = await wishes.read(call, "api.PullRequest", early=False)
    name = str(asked.get("model") or asked.get("name") or "")
    each = call.stand_in.catalog.find(name)
    if each is None:
        lines: list[dict[str, Any]] = [
            {"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"},
        ]  # fmt: skip
    else:
        lines = _progress(each.name, each.size_bytes)
    if asked.get("stream") is False:
        if "error" in lines[-1]:
            raise RefusedError(500, str(lines[-1]["error"]))
        await call.reply(gojson.dump(lines[-1]), content_type=NATIVE_JSON)
        return
    call.answer.set("Content-Type", LINES)
    for line in lines:
        call.phase = "stream"
        call.answer.write(gojson.dump(line) + b"\n")
        await call.answer.flush()
        await asyncio.sleep(call.settings.token_s or 0)
    await call.answer.finish()


def _progress(name: str, size: int) -> list[dict[str, Any]]:
    digest = hashlib.sha256(name.encode()).hexdigest()
    layer = {"status": f"pulling {digest[:12]}", "digest": f"sha256:{digest}", "total": size}
    parts = [{**layer, "completed": size * part // 5} for part in range(1, 6)]
    ends = ("verifying sha256 digest", "writing manifest", "success")
    return [{"status": "pulling manifest"}, layer, *parts, *({"status": said} for said in ends)]
