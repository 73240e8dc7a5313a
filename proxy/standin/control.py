"""The paths below /stand-in/, which no real server has: set, stats, reset, replay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from proxy.standin import faults, gojson, personality, replay
from proxy.standin.settings import Settings, changed

if TYPE_CHECKING:
    from proxy.standin.call import Call
    from proxy.standin.request import Request

PREFIX = "/stand-in/"
_REPLAY = re.compile(r"/stand-in/replay/([^/]+/[^/]+)")
JSON = "application/json"


def replayed(request: Request) -> str | None:
    """FOLDER/NAME of a path /stand-in/replay/FOLDER/NAME and anything after it: a base URL for any client."""
    found = _REPLAY.match(request.path)
    return found[1] if found else None


async def serve(call: Call) -> None:
    """Answer a control call."""
    name, method = call.request.path[len(PREFIX) :], call.request.method
    stand_in = call.stand_in
    if name == "stats":
        await call.reply(gojson.dump(stand_in.stats.as_dict()) + b"\n", content_type=JSON)
    elif name == "set" and method in ("POST", "PUT"):
        try:
            given = await call.json()
            wanted = changed(stand_in.settings, given if isinstance(given, dict) else {})
            check(wanted)
        except ValueError as error:
            await call.reply(gojson.dump({"error": str(error)}) + b"\n", content_type=JSON, status=400)
            return
        stand_in.settings = wanted
        await call.reply(_settings(wanted), content_type=JSON)
    elif name == "reset" and method in ("POST", "PUT"):
        stand_in.reset()
        await call.reply(_settings(stand_in.settings), content_type=JSON)
    elif name in ("", "settings"):
        await call.reply(_settings(stand_in.settings), content_type=JSON)
    elif name == "faults":
        await call.reply(gojson.dump(faults.NAMES) + b"\n", content_type=JSON)
    elif name == "recordings":
        known = replay.names(stand_in.recordings) if stand_in.recordings else []
        await call.reply(gojson.dump(known) + b"\n", content_type=JSON)
    else:
        await call.reply(b'{"error":"no such control path"}\n', content_type=JSON, status=404)


def check(settings: Settings) -> None:
    """Raises ValueError for a fault or a personality that there is not."""
    faults.named(settings.fault, after=settings.after, pause_s=settings.slow_head_s)
    if settings.personality and settings.personality not in personality.NAMES:
        raise ValueError(f"no personality {settings.personality!r}; there are {', '.join(personality.NAMES)}")


def _settings(settings: Settings) -> bytes:
    return gojson.dump(msgspec.to_builtins(settings)) + b"\n"
