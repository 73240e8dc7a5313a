"""Keys that clients prove themselves with: made here, kept as a hash only.

A key is 256 random bits, so a plain SHA-256 is right: there is nothing to guess that a slow hash would slow down.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

import msgspec

PREFIX: Final = "sg-"
_HINT_CHARACTERS: Final = 9  # of the key, told in lists: the prefix and 36 of 256 bits
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class ClientKey(msgspec.Struct, frozen=True, kw_only=True):
    """One client's key as it is kept: never the key itself."""

    name: str  # who has it; stands in logs and the ledger
    hint: str  # its first characters, to know it by
    sha256: str  # of the whole key, hexadecimal
    created_unix_ns: int
    revoked_unix_ns: int | None = None  # None = it opens


def new_key() -> str:
    """A key to give to a client, once."""
    return PREFIX + secrets.token_urlsafe(32)


def hint_of(key: str) -> str:
    """What a list may tell of a key."""
    return key[:_HINT_CHARACTERS]


def hash_of(key: bytes) -> str:
    """What is kept in its place."""
    return hashlib.sha256(key).hexdigest()
