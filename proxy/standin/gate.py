"""Ollama's guards before any handler: the Host check against DNS rebinding, and browser origins (CORS). Pure."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from proxy.standin.answer import Answer
    from proxy.standin.request import Request

ALLOW_HEADERS = (
    "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
    "X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
    "X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
    "X-Stainless-Runtime-Version,X-Stainless-Timeout"
)
ALLOW_METHODS = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
_APP_SCHEMES = ("app://", "file://", "tauri://", "vscode-webview://", "vscode-file://")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "0.0.0.0")  # noqa: S104 (compared, not bound)
_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")


def host_allowed(host: str) -> bool:
    """Whether a loopback-bound Ollama answers to this Host."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    name = name.lower().rstrip(".")
    if name in ("", "localhost", socket.gethostname().lower()) or name.endswith(_LOCAL_SUFFIXES):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


def origin_allowed(origin: str, host: str) -> bool:
    """Whether a page of `origin` may call."""
    if origin.startswith(_APP_SCHEMES):
        return True
    if origin in (f"http://{host}", f"https://{host}"):
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.hostname in _LOCAL_NAMES


def admit(request: Request, answer: Answer) -> bool:
    """Whether the call goes on to its handler; if not, `answer` holds what is to be said and needs only its end."""
    host = request.field(b"host").decode("latin-1")
    if not host_allowed(host):
        answer.status = 403
        return False
    origin = request.field(b"origin").decode("latin-1")
    if not origin:
        return True
    if not origin_allowed(origin, host):
        answer.status = 403
        return False
    if origin in (f"http://{host}", f"https://{host}"):
        return True
    answer.set("Access-Control-Allow-Origin", origin)
    if request.method != "OPTIONS":
        answer.set("Vary", "Origin")
        return True
    answer.status = 204
    answer.set("Access-Control-Allow-Headers", ALLOW_HEADERS)
    answer.set("Access-Control-Allow-Methods", ALLOW_METHODS)
    answer.set("Access-Control-Max-Age", "43200")
    for vary in ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"):
        answer.add("Vary", vary)
    return False
