"""Answers of Ollama's and LiteLLM's free paths -> what they say. Pure; foreign JSON is harmless, never raises.

A list that is no list is None: nothing was learned, which is not the same as an empty list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec

from proxy.wire.foreign import as_count, as_list, as_name, as_object, as_text, one_line, parse_json

MODELS_MOST: Final = 1000  # of one upstream; what it lists beyond is not looked at
_VERSION_CHARACTERS: Final = 40
_DIGEST_CHARACTERS: Final = 80  # sha256: and 64 digits are 71
_WORD_CHARACTERS: Final = 60
_LIBRARY: Final = ("registry.ollama.ai/", "library/")  # left out of a name where they are Ollama's own


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """One model of /api/tags."""

    name: str  # full, as `full_name` gives it
    digest: str | None = None
    quantization: str | None = None
    family: str | None = None
    parameter_size: str | None = None
    context_length: int | None = None  # newer Ollamas tell it here, all in /api/show
    size_bytes: int | None = None
    modified_unix_s: float | None = None
    remote: bool = False  # a cloud model: it runs elsewhere and is never loaded here


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """One model of /api/ps."""

    digest: str | None = None
    vram_bytes: int | None = None
    size_bytes: int | None = None
    context: int | None = None  # that it was loaded with
    expires_unix_s: float | None = None  # by the server's clock; None = not told, or beyond the calendar


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What /api/show says of a model."""

    template_hash: str | None = None
    context_length: int | None = None
    quantization: str | None = None


@lru_cache(maxsize=MODELS_MOST)
def full_name(name: str) -> str:
    """A model's name as Ollama lists it: with its tag, without Ollama's own registry, in small letters."""
    name = name.strip().lower()
    for prefix in _LIBRARY:
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def read_version(body: bytes, *names: str) -> str | None:
    """The text under the first of these names that there is."""
    found = as_object(parse_json(body))
    texts = (one_line(as_text(found.get(name)), _VERSION_CHARACTERS) for name in names or ("version",))
    return next(filter(None, texts), None)


def read_tags(body: bytes) -> dict[str, Installed] | None:
    """The installed models by full name; None = that was no list of models."""
    entries = _entries(body)
    return None if entries is None else {name: _installed(name, entry) for name, entry in entries}


def read_ps(body: bytes) -> dict[str, Loaded] | None:
    """The loaded models by full name; None = that was no list of models."""
    entries = _entries(body)
    return None if entries is None else {name: _loaded(entry) for name, entry in entries}


def read_show(body: bytes) -> Shown | None:
    """What it says; None = nothing that we know."""
    found = as_object(parse_json(body))
    template = found.get("template")
    facts = as_object(found.get("model_info"))
    architecture = as_text(facts.get("general.architecture"))
    shown = Shown(
        template_hash=_hash(template) if isinstance(template, str) else None,
        context_length=as_count(facts.get(f"{architecture}.context_length")) or None,
        quantization=_word(as_object(found.get("details")).get("quantization_level")),
    )
    return None if shown == Shown() else shown


def unix_s(value: object) -> float | None:
    """An RFC 3339 time, with any number of digits of a second."""
    try:
        return datetime.fromisoformat(as_text(value)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _entries(body: bytes) -> Iterator[tuple[str, dict[str, Any]]] | None:
    listed = as_object(parse_json(body)).get("models")
    if not isinstance(listed, list):
        return None
    named = ((as_name(as_object(each).get("name")), as_object(each)) for each in as_list(listed)[:MODELS_MOST])
    return ((full_name(name), each) for name, each in named if name is not None)


def _installed(name: str, entry: dict[str, Any]) -> Installed:
    details = as_object(entry.get("details"))
    return Installed(
        name=name,
        digest=_digest(entry),
        quantization=_word(details.get("quantization_level")),
        family=_word(details.get("family")),
        parameter_size=_word(details.get("parameter_size")),
        context_length=as_count(details.get("context_length")) or None,
        size_bytes=as_count(entry.get("size")),
        modified_unix_s=unix_s(entry.get("modified_at")),
        remote=bool(as_text(entry.get("remote_host"))) or name.endswith((":cloud", "-cloud")),
    )


def _loaded(entry: dict[str, Any]) -> Loaded:
    return Loaded(
        digest=_digest(entry),
        vram_bytes=as_count(entry.get("size_vram")),
        size_bytes=as_count(entry.get("size")),
        context=as_count(entry.get("context_length")) or None,
        expires_unix_s=unix_s(entry.get("expires_at")),
    )


def _digest(entry: dict[str, Any]) -> str | None:
    return one_line(as_text(entry.get("digest")), _DIGEST_CHARACTERS).removeprefix("sha256:") or None


def _word(value: object) -> str | None:
    return one_line(as_text(value), _WORD_CHARACTERS) or None


def _hash(template: str) -> str:
    """16 hexadecimal digits: enough to tell two templates of one model apart."""
    return hashlib.sha256(template.encode("utf-8", "replace")).hexdigest()[:16]
