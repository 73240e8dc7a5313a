"""404, 405 with Allow, redirects, as gin makes them."""

from __future__ import annotations

import pytest

from proxy.standin.server import StandIn

from .peer import ask, get


@pytest.mark.parametrize(
    ("method", "path", "status", "field"),
    [
        ("GET", "/v1/chat/completions", 405, b"Allow: POST"),
        ("POST", "/", 405, b"Allow: HEAD, GET"),
        ("DELETE", "/v1/models", 405, b"Allow: GET"),
        ("POST", "/api/delete", 405, b"Allow: DELETE"),
        ("OPTIONS", "/api/chat", 405, b"Allow: POST"),
        ("PUT", "/api/blobs/sha256:00", 405, b"Allow: HEAD, POST"),
        ("GET", "/v1/models/", 301, b"Location: /v1/models"),
        ("GET", "/api/tags/?a=1", 301, b"Location: /api/tags?a=1"),
        ("POST", "/api/chat/", 307, b"Location: /api/chat"),
        ("GET", "/v1/images/generations", 404, b"Content-Type: text/plain"),
        ("GET", "/metrics", 404, b"Content-Length: 18"),
        ("GET", "/v1/models/ns%2Fmodel", 404, b"Content-Length: 18"),
        ("GET", "/v1/models/nope", 404, b"Content-Type: application/json"),
        ("HEAD", "/api/tags", 200, b"Content-Type: application/json; charset=utf-8"),
        ("HEAD", "/api/version", 200, b"Content-Length: 24"),
    ],
)
async def test_paths_and_methods(stand_in: StandIn, method: str, path: str, status: int, field: bytes) -> None:
    answer = await ask(stand_in, get(path, method=method))

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert field in answer.split(b"\r\n")
