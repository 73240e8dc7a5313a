"""Which names a client may call us by. A web page must not reach us through a name that it owns (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
import socket
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

# Names nobody can own on the public net; the same that Ollama takes on loopback.
_OWN_SUFFIXES: Final = (".localhost", ".local", ".internal")
# A name (with `_`, as containers have), an address, or an IPv6 address in brackets; then perhaps a port.
_HOST: Final = re.compile(rb"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?", re.IGNORECASE)
_LONGEST: Final = 300  # bytes; a name has at most 253. What is longer is not remembered, so that memory stays bounded


def is_host(host: bytes) -> bool:
    """Whether a Host field is a name or an address, and perhaps a port, and nothing else."""
    found = _HOST.fullmatch(host) if len(host) <= _LONGEST else None
    return found is not None and int(found[1] or 0) <= 65535


class HostRule:
    """Says of a Host field whether it is one of ours."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """`allowed`: further names or patterns, without port."""
        self._allowed = tuple(name.lower() for name in allowed)
        self._own_name = socket.gethostname().lower()
        self._remembered = lru_cache(maxsize=1024)(self._judge)

    def allows(self, host: bytes | None) -> bool:
        """Whether a Host field names us; None or empty: there was none."""
        if not host:
            return True  # HTTP/1.0; a browser always sends one
        return len(host) <= _LONGEST and self._remembered(host)

    def _judge(self, host: bytes) -> bool:
        if not is_host(host):
            return False
        name = _without_port(host.decode("latin-1").lower())
        if name is None:
            return False
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            own = name in ("localhost", self._own_name) or name.endswith(_OWN_SUFFIXES)
            return own or any(fnmatchcase(name, pattern) for pattern in self._allowed)
        return address.is_private or address.is_loopback or address.is_unspecified or name in self._allowed


def _without_port(host: str) -> str | None:
    """The name or address of a Host field; None when it is neither name, address nor either with a port."""
    if host.startswith("["):
        name, bracket, port = host[1:].partition("]")
        if not bracket or (port and not (port.startswith(":") and port[1:].isdecimal())):
            return None
        return name
    name, colon, port = host.partition(":")
    if colon and not port.isdecimal():
        return None
    return name.rstrip(".") if name else None
