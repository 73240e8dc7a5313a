"""Header fields of a kept head, for looking; and which names are hop-by-hop or secret.

The relay imports this file for every call: keep it free of heavy imports and I/O. Nothing here writes heads.
"""

from __future__ import annotations

from typing import Final

# RFC 9110 sec. 7.6.1, plus what proxies in the field send. The names that Connection lists come on top.
HOP_BY_HOP: Final[frozenset[bytes]] = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# Fields whose value lets its reader act as the sender. Struck out before a head is kept.
SECRET: Final[frozenset[bytes]] = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"set-cookie",
        b"api-key",  # Azure OpenAI
        b"x-api-key",  # Anthropic, LiteLLM
        b"x-goog-api-key",
        b"x-litellm-api-key",
        b"x-litellm-key",
        b"ocp-apim-subscription-key",  # Azure API Management, which LiteLLM accepts too
        b"x-auth-token",
        b"x-amz-security-token",
        b"x-forwarded-access-token",  # oauth2-proxy
    }
)

Fields = tuple[tuple[bytes, bytes], ...]


def parse_head(head: bytes, beginning: bytes = b"") -> Fields:
    """(lower-case name, value without outer blanks) of each line, in order, duplicates kept.

    head: `name: value` lines ended by CRLF or LF, without the first line. Lines without a colon and folded lines
    (obsolete, RFC 9112 sec. 5.2) are left out. beginning: of the names to look at, in lower case.
    """
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if beginning and line[: len(beginning)].lower() != beginning:
            continue
        name, colon, value = line.partition(b":")
        if colon and name[:1] not in (b" ", b"\t"):
            fields.append((name.rstrip(b" \t").lower(), value.strip(b" \t\r")))
    return tuple(fields)


def first_value(head: bytes, name: bytes) -> str | None:
    """First value of the field in a kept head as latin-1 text; None = not there. name: lower case."""
    for found, value in parse_head(head):
        if found == name:
            return value.decode("latin-1")
    return None


def all_values(head: bytes, name: bytes) -> str:
    """Values of all fields of that name joined by `, `, as RFC 9110 sec. 5.3 allows; empty = not there."""
    if name not in head.lower():  # the usual case, and quick
        return ""
    return ", ".join(value.decode("latin-1") for found, value in parse_head(head) if found == name)
