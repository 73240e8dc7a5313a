"""Which web pages may call: a page of another site must not use the model of whoever looks at it.

A browser says in Origin whose page calls. Programs send none. Allowed without a setting, as with Ollama: pages of this
machine, pages of the address that they call, and apps, whose origins no web site can have.
"""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

# `file://` is not among them: browsers say `null` for it, as they do for a frame that any site can make.
_APPS: Final = frozenset({"app", "tauri", "vscode-webview", "vscode-file"})
_WEB: Final = frozenset({"http", "https"})
_LONGEST: Final = 300  # bytes; a name has at most 253


class OriginRule:
    """Says of an Origin field whether its page may call."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """`allowed`: origins or patterns of origins, such as https://chat.example.com; `*` is every one."""
        self._allowed = tuple(origin.lower().rstrip("/") for origin in allowed)
        self._remembered = lru_cache(maxsize=1024)(self._judge)

    def allows(self, origin: bytes, host: bytes | None) -> bool:
        """origin, host: fields of the request."""
        return len(origin) <= _LONGEST and len(host or b"") <= _LONGEST and self._remembered(origin, host)

    def _judge(self, origin: bytes, host: bytes | None) -> bool:
        said = origin.decode("latin-1").strip().lower()
        if any(fnmatchcase(said, pattern) for pattern in self._allowed):
            return True
        try:
            parts = urlsplit(said)
            name = parts.hostname or ""
            _ = parts.port
        except ValueError:
            return False
        if parts.scheme in _APPS:
            return True
        if parts.scheme not in _WEB or said != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc or not name:
            return False
        return _is_here(name) or (host is not None and parts.netloc == host.decode("latin-1").strip().lower())


def _is_here(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
