"""Unpacks a copy of a compressed body for looking at, piece by piece and bounded. The client gets the bytes as sent.

gzip and deflate are the standard library's; br and zstd need the packages `brotli` (1.2 or newer, for its bound) and
`backports.zstd`. Without them such bodies are not read, which `Unpacked.trouble` says. No I/O here.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

import msgspec

from proxy.wire.meaning import Unread

UNPACKED_BYTES: Final = 64 * 1024 * 1024  # a bomb of 64 KB holds that much; the longest honest answer seen is 8 MB
_STEP_BYTES: Final = 1024 * 1024


class Unpacked(msgspec.Struct, frozen=True, kw_only=True):
    """What came out. `ends[i]`: bytes of `body` that could be read once piece i was there."""

    body: bytes
    ends: tuple[int, ...]
    trouble: Unread | None = None  # why `body` is not all


class _Layer(Protocol):
    def pull(self, piece: bytes) -> Iterator[bytes]:
        """What this piece adds, in steps of about _STEP_BYTES."""
        ...


def codings_of(content_encoding: str) -> tuple[str, ...]:
    """Codings of a Content-Encoding value in the order they were applied, without `identity`."""
    words = (word.strip().lower() for word in content_encoding.split(","))
    return tuple(word.removeprefix("x-") for word in words if word not in ("", "identity"))


def unpack(pieces: Iterable[bytes], codings: tuple[str, ...], limit: int = UNPACKED_BYTES) -> Unpacked:
    """The body that these pieces hold, at most `limit` bytes of it. Never raises; damage ends it early."""
    layers = [_layer(coding) for coding in reversed(codings)]
    known = [layer for layer in layers if layer is not None]
    if len(known) < len(layers):
        return Unpacked(body=b"", ends=(), trouble="coding")
    body = bytearray()
    ends: list[int] = []
    trouble: Unread | None = None
    for piece in pieces:
        if trouble is None:
            trouble = _take(piece, known, body, limit)
        ends.append(len(body))
    return Unpacked(body=bytes(body), ends=tuple(ends), trouble=trouble)


def _take(piece: bytes, layers: list[_Layer], body: bytearray, limit: int) -> Unread | None:
    steps: Iterator[bytes] = iter((piece,))
    for layer in layers:
        steps = _through(layer, steps)
    try:
        for step in steps:
            body += step[: limit - len(body)]
            if len(body) >= limit:
                return "bound"
    except Exception:  # foreign bytes, and the three packages have no error in common
        return "damaged"
    return None


def _through(layer: _Layer, steps: Iterator[bytes]) -> Iterator[bytes]:
    for step in steps:
        yield from layer.pull(step)


def _layer(coding: str) -> _Layer | None:
    make = _LAYERS.get(coding)
    return make() if make is not None else None


class _Zlib:
    """gzip (several members too) and deflate (with zlib's head, as RFC 9110 says, or raw, as some send it)."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._inner: Any = None

    def pull(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._inner is None:
                self._inner = zlib.decompressobj(self._window(piece))
            yield self._inner.decompress(piece, _STEP_BYTES)
            if self._inner.eof:
                piece = self._inner.unused_data.lstrip(b"\0") if self._gzip else b""
                self._inner = None
            else:
                piece = self._inner.unconsumed_tail

    def _window(self, piece: bytes) -> int:
        if self._gzip:
            return 31
        return 15 if piece[0] & 0x0F == 8 else -15  # RFC 1950: the low half of the first byte is 8


class _Brotli:
    def __init__(self, package: Any) -> None:
        self._inner = package.Decompressor()

    def pull(self, piece: bytes) -> Iterator[bytes]:
        yield self._inner.process(piece, output_buffer_limit=_STEP_BYTES)
        while not self._inner.can_accept_more_data():
            yield self._inner.process(b"", output_buffer_limit=_STEP_BYTES)


class _Zstd:
    def __init__(self, package: Any) -> None:
        self._package = package
        self._inner: Any = None

    def pull(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            if self._inner is None:
                self._inner = self._package.ZstdDecompressor()
            yield self._inner.decompress(piece, _STEP_BYTES)
            while not (self._inner.eof or self._inner.needs_input):
                yield self._inner.decompress(b"", _STEP_BYTES)
            piece = b""
            if self._inner.eof:  # frames may follow each other
                piece = self._inner.unused_data
                self._inner = None


def _optional(name: str, layer: Callable[[Any], _Layer]) -> _Layer | None:
    try:
        return layer(importlib.import_module(name))
    except ImportError:
        return None


_LAYERS: Final[dict[str, Callable[[], _Layer | None]]] = {
    "gzip": lambda: _Zlib(gzip=True),
    "deflate": lambda: _Zlib(gzip=False),
    "br": lambda: _optional("brotli", _Brotli),
    "zstd": lambda: _optional("backports.zstd", _Zstd),
}
