"""The answer of /-/health on the relay port, for load balancers: 200 while new calls are taken, else 503."""

from __future__ import annotations

import msgspec

from proxy import __version__


def health_answer(*, draining: bool, worker: int, active: int, journal: str, close: bool, head_only: bool) -> bytes:
    """The whole answer. `active`: calls under way in this relay; `journal`: direct, or backlog while the disk ails."""
    state = {
        "status": "draining" if draining else "ok",
        "service": "sightglass",
        "version": __version__,
        "worker": worker,
        "active": active,
        "journal": journal,
    }
    body = msgspec.json.encode(state)
    lines = [
        b"HTTP/1.1 503 Service Unavailable" if draining else b"HTTP/1.1 200 OK",
        b"Content-Type: application/json",
        b"Cache-Control: no-store",
        b"Content-Length: %d" % len(body),
    ]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else body)
