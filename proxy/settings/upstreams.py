"""Upstreams made ready for the relay: addresses in parts, limits applied, keys read. Never tells a key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final

from proxy.core.config import Config, Upstream
from proxy.core.upstreams import ResolvedUpstream
from proxy.settings.addresses import parse_address
from proxy.settings.mistakes import HIDDEN, Mistake, SettingsError, UnusableError, said
from proxy.settings.schema import dotted

DEFAULT: Final = "default"  # the name of the upstream that takes what no other does
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TELLABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")  # looks like a variable's name and not like a key
_KEY: Final = re.compile(r"[\x21-\x7e]+")


def resolve_upstreams(config: Config, environ: Mapping[str, str]) -> tuple[ResolvedUpstream, ...]:
    """The upstreams in the order they are tried, `default` last. Reads the keys; raises SettingsError."""
    named = {name: upstream for name, upstream in config.upstreams.items() if name != DEFAULT}
    fallback = config.upstreams.get(DEFAULT) or Upstream(url=config.upstream, kind=config.upstream_kind)
    mistakes: list[Mistake] = []
    resolved = []
    for name, upstream in {**named, DEFAULT: fallback}.items():
        try:
            resolved.append(_resolve(name, upstream, config, environ))
        except UnusableError as error:
            path = dotted(("upstreams", name))
            mistakes.append(Mistake(path=path, expected=error.expected, came=error.came, hint=error.hint))
    if mistakes:
        raise SettingsError(mistakes)
    return tuple(resolved)


def _resolve(name: str, upstream: Upstream, config: Config, environ: Mapping[str, str]) -> ResolvedUpstream:
    limits = config.limits
    scheme, host, port = parse_address(upstream.url)
    return ResolvedUpstream(
        name=name,
        scheme=scheme,
        host=host,
        port=port,
        kind=upstream.kind,
        models=upstream.models,
        key=read_key(upstream, environ),
        connect_s=upstream.connect_s or limits.connect_s,
        first_byte_s=upstream.first_byte_s or limits.first_byte_s,
        between_bytes_s=upstream.between_bytes_s or limits.between_bytes_s,
        keep_idle_s=upstream.keep_idle_s,
    )


def read_key(upstream: Upstream, environ: Mapping[str, str]) -> str | None:
    """The upstream's key; None when none is set. Raises UnusableError, which never holds the key."""
    if upstream.key_env is not None and upstream.key_file is not None:
        raise UnusableError("either key_env or key_file", "both", "keep one")
    if upstream.key_env is not None:
        return key_from_variable(upstream.key_env, environ)
    if upstream.key_file is not None:
        return key_from_file(upstream.key_file)
    return None


def key_from_variable(variable: str, environ: Mapping[str, str]) -> str:
    """A secret that a variable holds. Raises UnusableError, which never holds it."""
    name = said(variable) if _TELLABLE.fullmatch(variable) else HIDDEN
    if not _VARIABLE.fullmatch(variable):
        raise UnusableError("the name of an environment variable", name, "put the key in a variable, and its name here")
    key = environ.get(variable)
    if key is None:
        raise UnusableError("the name of a variable that is set", name, "it is not set where Sightglass was started")
    return _usable(key, "a variable that holds a key", name)


def key_from_file(file: str) -> str:
    """A secret that a file holds. Raises UnusableError, which never holds it."""
    expected = "a file that holds a key"
    if "\0" in file:
        raise UnusableError(expected, "a name with a NUL byte")
    came = said(file) if "/" in file and FilePath(file).parent.is_dir() else HIDDEN
    try:
        with FilePath(file).open("rb") as opened:
            key = opened.read(65536).decode()
    except OSError as error:
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        raise UnusableError(expected, came, reason) from None
    except UnicodeDecodeError:
        raise UnusableError(expected, came, "it does not hold text") from None
    return _usable(key, expected, came)


def _usable(key: str, expected: str, came: str) -> str:
    key = key.strip()
    if not key:
        raise UnusableError(expected, came, "it is empty")
    if not _KEY.fullmatch(key):
        raise UnusableError(
            expected, came, "it holds spaces, line breaks or other characters that a header cannot carry"
        )
    return key
