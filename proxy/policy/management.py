"""Ollama's paths that change the server or reach out for it: which targets lead there, however they are spelled.

What Ollama itself takes: Go decodes the path once, its mux redirects `//` and dot segments, its router compares the
decoded path, case and all. Before it may stand a proxy that decodes again, merges slashes, takes `\\` for `/`, drops
`;parameters` or ignores case. So a target is closed when any of these readings leads to such a path: nothing else on
an inference server is called so.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

# What writes models, sends them out or reads files of the server; signing in and out of ollama.com with its key.
CLOSED: Final = frozenset({"create", "pull", "push", "copy", "delete", "blobs", "signout", "user"})
_DECODED: Final = 4  # times; more layers than proxies that decode
_REMEMBERED: Final = 256  # characters of the longest path that is remembered, so that clients cannot fill the memory


def is_management(path: str) -> bool:
    """Whether some server may read this path (without query) as one of Ollama's management."""
    return _remembered(path) if len(path) <= _REMEMBERED else _judge(path)


def _judge(path: str) -> bool:
    if "%" not in path and "api" not in path.lower():
        return False
    for _ in range(_DECODED):
        if _leads_there(path):
            return True
        decoded = unquote(path, errors="replace")
        if decoded == path:
            return False
        path = decoded
    return True  # encoded again and again: nobody means well with that


_remembered: Final = lru_cache(maxsize=512)(_judge)


def _leads_there(path: str) -> bool:
    path = path.lower().replace("\\", "/")
    # A query or fragment that decoding brought to light ends the path for some, not for others.
    spellings = {path, path.partition("?")[0], path.partition("#")[0], path.partition("\0")[0]}
    return any(_names(_segments(spelling)) or _names(_resolved(_segments(spelling))) for spelling in spellings)


def _segments(path: str) -> list[str]:
    """The path's parts without parameters, empty ones left out."""
    named = (part.partition(";")[0].strip(" \t\r\n\0") for part in path.split("/"))
    return [part for part in named if part not in ("", ".")]


def _resolved(segments: list[str]) -> list[str]:
    found: list[str] = []
    for part in segments:
        if part == "..":
            del found[-1:]
        else:
            found.append(part)
    return found


def _names(segments: list[str]) -> bool:
    """Wherever in the path: a server may serve Ollama below a prefix."""
    return any(here == "api" and after in CLOSED for here, after in pairwise(segments))
