"""What the stand-in counts: calls, who left and when, the last request. Read at GET /stand-in/stats."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

LEFT_KEPT = 200


class LastRequest(msgspec.Struct, kw_only=True):
    """The latest request as it arrived, without its body."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_bytes: int = 0
    body_sha256: str = ""
    whole: bool = False  # its body arrived to the end


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """A call whose client left before its end."""

    path: str
    phase: str  # upload | load | queue | first_token | stream | answer | replay | mute
    tokens: int  # said until then
    after_s: float  # since the request's head was read
    model: str | None = None


class Stats(msgspec.Struct, kw_only=True):
    """Counts since the start or the last reset. Control calls under /stand-in/ are not in them."""

    requests: int = 0
    completed: int = 0  # answered to the end, errors included
    cancelled: int = 0  # the client left
    broken: int = 0  # ended by a fault of ours: closed, reset, cut short
    active: int = 0  # calls now under way
    connections: int = 0  # open now, the one that asks included
    connections_total: int = 0
    tokens: int = 0
    by_path: Counter[str] = msgspec.field(default_factory=Counter)
    by_status: Counter[str] = msgspec.field(default_factory=Counter)
    last_request: LastRequest | None = None
    left: list[Left] = []  # the latest LEFT_KEPT

    def client_left(self, left: Left) -> None:
        """Count a call whose client left."""
        self.cancelled += 1
        self.left.append(left)
        del self.left[:-LEFT_KEPT]

    def reset(self) -> None:
        """Everything back to nothing, but for what is true now: open connections and calls under way."""
        fresh = Stats(active=self.active, connections=self.connections)
        for name in self.__struct_fields__:
            setattr(self, name, getattr(fresh, name))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain
