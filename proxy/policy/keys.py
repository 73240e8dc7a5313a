"""Who calls: the client's key among those of the control snapshot."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Literal, NamedTuple

from proxy.core.client_key import ClientKey

Verdict = Literal["open", "known", "missing", "unknown", "revoked", "several"]


class Caller(NamedTuple):
    """What a request's credentials come to. `open`: no key is asked for. `name` is known for `known` and `revoked`."""

    verdict: Verdict
    name: str | None = None


OPEN = Caller("open")
MISSING = Caller("missing")
UNKNOWN = Caller("unknown")
SEVERAL = Caller("several")


class KeyRing:
    """All keys of one snapshot. Immutable; a new snapshot makes a new one."""

    def __init__(self, keys: Sequence[ClientKey], *, required: bool) -> None:
        """required: a key is asked for even while there is none. Once one was made, one is always asked for."""
        # Found by the whole hash: whoever does not know the key cannot choose where its hash falls, so the time of
        # the look-up tells nothing; what was found is still compared in constant time.
        self._by_hash = {bytes.fromhex(key.sha256): key for key in keys}
        self.required = required or bool(keys)

    def identify(self, credentials: Sequence[bytes]) -> Caller:
        """Who it is by these credentials, the values of all fields that may carry a key."""
        if not self.required:
            return OPEN
        found = {key.sha256: key for key in map(self._find, credentials) if key is not None}
        if len(found) > 1:
            return SEVERAL
        for key in found.values():
            return Caller("known" if key.revoked_unix_ns is None else "revoked", key.name)
        return UNKNOWN if any(credentials) else MISSING

    def _find(self, credential: bytes) -> ClientKey | None:
        digest = hashlib.sha256(credential).digest()
        key = self._by_hash.get(digest)
        return key if key is not None and hmac.compare_digest(bytes.fromhex(key.sha256), digest) else None
