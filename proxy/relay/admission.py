"""Which requests go no further than their head, and why. Pure: decides from the head and the settings."""

from __future__ import annotations

from typing import Final

from aiohttp import HttpVersion10, HttpVersion11

from proxy.core.config import Config
from proxy.relay import faults
from proxy.relay.faults import Fault
from proxy.relay.heads import RequestHead
from proxy.relay.hosts import HostRule
from proxy.relay.request import Request

_VERSIONS: Final = (HttpVersion11, HttpVersion10)


class Admission:
    """The relay's own rules; each is a fault with its reason."""

    def __init__(self, config: Config) -> None:
        self._hosts = HostRule(config.allowed_hosts)

    def refusal(self, head: RequestHead, request: Request) -> Fault | None:
        """Why this request goes no further, if it does not."""
        target = request.target
        if request.version not in _VERSIONS:
            return faults.BAD_REQUEST._replace(message="The request is neither HTTP/1.1 nor HTTP/1.0.")
        if head.coding is not None and (head.coding != b"chunked" or request.version == HttpVersion10):
            # Taken off here, as it is a hop's own, any further coding would be lost; in HTTP/1.0 there is none.
            return faults.BAD_REQUEST._replace(message="Of transfer codings only HTTP/1.1's chunked is taken.")
        if head.upgrade or request.method in ("CONNECT", "TRACE"):
            return faults.NOT_SUPPORTED
        if not target.startswith("/") or "#" in target:
            return faults.BAD_TARGET
        if not self._hosts.allows(head.host):
            return faults.HOST_REFUSED
        return None
