"""One line of the log: JSON as it goes out, and what outputs want to know without reading it."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line."""

    level: int  # of logging: 10 debug, 20 info, 30 warning, 40 error
    timestamp: str  # RFC 3339, UTC
    event: str
    text: bytes  # one JSON object, without the line's end; control bytes are escaped
