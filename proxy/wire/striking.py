"""Strikes out what looks like a secret in foreign text that is kept: user agents, and what upstreams say of errors.

Known kinds of keys, credentials in headers and addresses, and long runs of letters and digits. Not everything that is
secret looks so: what must not be known shall not be sent there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

STRUCK: Final = "[struck out]"
_SECRET: Final = re.compile(
    r"(?<=//)[^/@\s]{1,256}@"  # user:password@ in an address
    r"|\b(?:bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\b(?:sk|pk|rk|sg|sga|hf|gsk|gh[pousr]|github_pat|glpat|xox[abprs]|eyJ|AKIA|AIza)(?:[-_][\w.-]{8,}|[\w.-]{16,})"
    r"|\b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}",
    re.IGNORECASE,
)


def strike(text: str) -> str:
    """The text with each of these replaced by STRUCK."""
    return _SECRET.sub(STRUCK, text)


strike_name = lru_cache(maxsize=1024)(strike)  # for texts that come again and again, and are short
