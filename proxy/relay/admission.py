"""Which requests go no further than their head, and why. Pure: decides from the head and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp.http_writer import HttpVersion10, HttpVersion11

from proxy.control.snapshot import Snapshot
from proxy.core.config import Config
from proxy.core.exchange import Started
from proxy.core.public import management_closed
from proxy.core.upstreams import ResolvedUpstream
from proxy.policy.keys import KeyRing, Verdict
from proxy.policy.management import is_management
from proxy.policy.origins import OriginRule
from proxy.relay import faults
from proxy.relay.faults import Fault
from proxy.relay.heads import RequestHead, Vouched
from proxy.relay.hosts import HostRule, is_host
from proxy.relay.request import Request

_JUDGES: Final = ("ollama", "auto")  # auto: what is not said to be another thing is taken for Ollama
_VERSIONS: Final = (HttpVersion11, HttpVersion10)
_KEY_FAULTS: Final[dict[Verdict, Fault]] = {
    "missing": faults.KEY_MISSING,
    "unknown": faults.KEY_UNKNOWN,
    "revoked": faults.KEY_REVOKED,
    "several": faults.KEYS_SEVERAL,
}


class Admission:
    """The relay's own rules; each is a fault with its reason. All are asked before anything is routed."""

    def __init__(self, config: Config, upstreams: Sequence[ResolvedUpstream]) -> None:
        self._hosts = HostRule(config.allowed_hosts)
        self._origins = None if _judged_upstream(config, upstreams) else OriginRule(config.allowed_origins)
        self._management_closed = management_closed(config)
        self._keys_required = config.access.client_keys == "required"
        self._keys: KeyRing | None = KeyRing((), required=self._keys_required)

    def take(self, snapshot: Snapshot | None) -> None:
        """Go by this control snapshot from now on; None: there is one, and it cannot be read."""
        self._keys = KeyRing(snapshot.keys, required=self._keys_required) if snapshot is not None else None

    def refusal(self, request: Request, notes: Started) -> Fault | None:
        """Why this request goes no further, if it does not. Notes whose key it shows."""
        if request.known is None:
            return self.refusal_of_head(request) or self._refusal_of_caller(request, notes)
        return self._refusal_of_caller(request, notes)

    def refusal_of_head(self, request: Request) -> Fault | None:
        """What of it follows from the head and the settings alone: the same each time such a head comes."""
        refusal = self.refusal_of_own(request)
        if refusal is not None:
            return refusal
        if self._is_foreign_page(request.head):
            return faults.ORIGIN_REFUSED
        if self._management_closed and is_management(request.target.partition("?")[0]):
            return faults.MANAGEMENT_CLOSED
        return None

    def refusal_of_own(self, request: Request) -> Fault | None:
        """The same for our own pages: they need no key, and no page of a browser may read them."""
        head = request.head
        malformed = self._malformed(head, request)
        if malformed is None and not self._hosts.allows(head.host):
            return faults.HOST_REFUSED if is_host(head.host or b"") else faults.BAD_HOST
        return malformed

    def _refusal_of_caller(self, request: Request, notes: Started) -> Fault | None:
        head = request.head
        if self._keys is None:
            return faults.KEYS_UNREADABLE
        if not self._keys.required:
            return None
        if request.method == "OPTIONS" and head.origin is not None:
            request.vouched = Vouched.NOBODY  # a browser asks whether its page may, and sends no key with that
            return None
        caller = self._keys.identify(head.secrets)
        notes.key_name = caller.name
        request.vouched = Vouched.CLIENT
        return _KEY_FAULTS.get(caller.verdict)

    def _is_foreign_page(self, head: RequestHead) -> bool:
        rule = self._origins
        return rule is not None and head.origin is not None and not rule.allows(head.origin, head.host)

    def _malformed(self, head: RequestHead, request: Request) -> Fault | None:
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
        if not head.host and request.version == HttpVersion11:
            return faults.BAD_HOST
        if head.credentials_twice:
            return faults.TWICE
        return None


def _judged_upstream(config: Config, upstreams: Sequence[ResolvedUpstream]) -> bool:
    """Whether the upstream says which pages may call, as without us: Ollama does, and no page is lent a key of ours."""
    return not config.allowed_origins and all(one.key is None and one.kind in _JUDGES for one in upstreams)
