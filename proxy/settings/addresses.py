"""Addresses of upstreams and listeners: taken apart, and what is wrong with them in words. No DNS."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, Literal, cast
from urllib.parse import SplitResult, urlsplit

from proxy.settings.mistakes import UnusableError, said
from proxy.settings.schema import ADDRESS

HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")  # `_`: compose service names have it


def parse_address(url: str) -> tuple[Literal["http", "https"], str, int]:
    """Scheme, host (IPv6 without brackets) and port of an upstream's base address. Raises UnusableError."""
    hint = _wrong_with(url)
    if hint:
        raise UnusableError(ADDRESS, said(url), hint)
    parts = urlsplit(url)
    scheme = cast(Literal["http", "https"], parts.scheme.lower())
    return scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80)


def _wrong_with(url: str) -> str:
    """What is wrong with an address and what to write instead; empty when nothing is."""
    if not url:
        return "it is empty"
    if any(not "\x21" <= c <= "\x7e" for c in url):
        return "it holds a space, a control character or one outside ASCII"
    scheme, there, rest = url.partition("://")
    if not there:
        return f"it has no scheme; write http://{url.lstrip('/')}"
    if scheme.lower() not in ("http", "https"):
        return f"its scheme is neither http nor https; write http://{rest}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return "its port is not a number from 1 to 65535" if "ort" in str(error) else "its host is not a valid one"
    return _wrong_with_parts(parts, port)


def _wrong_with_parts(parts: SplitResult, port: int | None) -> str:
    if "@" in parts.netloc:
        return "a user or password does not belong in it; give the key by key_env or key_file"
    if not parts.hostname:
        return "it has no host"
    if port == 0 or parts.netloc.endswith(":"):
        return "its port is not a number from 1 to 65535"
    if ":" in parts.hostname:
        if not is_ip(parts.hostname):
            return "its host is not a valid IPv6 address"
    elif not HOST.fullmatch(parts.hostname) or len(parts.hostname) > 253:
        return "its host is not a valid one"
    base = f"{parts.scheme}://{parts.netloc}"
    if parts.query or parts.fragment or "?" in parts.geturl() or "#" in parts.geturl():
        return f"it has a query or a fragment; write {base}"
    if parts.path.rstrip("/") == "/v1":
        return f"clients bring the /v1 themselves; write {base}"
    if parts.path not in ("", "/"):
        return f"it has a path; paths are the client's, write {base}"
    return ""


def is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_any(host: str) -> bool:
    return is_ip(host) and ipaddress.ip_address(host).is_unspecified
