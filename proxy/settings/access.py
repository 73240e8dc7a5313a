"""Who could reach us, and whether somebody would be asked who he is: the rules of a public bind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final

from proxy.control.snapshot import control_path, read_snapshot
from proxy.core.config import Config
from proxy.core.public import is_loopback
from proxy.settings.admin_token import read_admin_token
from proxy.settings.mistakes import Found, UnusableError, said

_OVERRIDE: Final = "or set allow_public_bind: true when something in front decides who may"
_NO_KEY: Final = (
    "nobody would be asked who calls: whoever reaches this address could use the upstream and its key. Make a client"
    f" key first (`sightglass keys add NAME`), keep 127.0.0.1, {_OVERRIDE}"
)
_NO_TOKEN: Final = (
    "the console shows who asked which model, and nobody has an admin token for it yet. Make one first (`sightglass"
    f" token`, or access.token_env), keep 127.0.0.1, {_OVERRIDE}"
)


def check_token(config: Config, environ: Mapping[str, str]) -> Iterator[Found]:
    """A token that is set and cannot be used."""
    try:
        read_admin_token(config, environ)
    except UnusableError as error:
        which = "token_file" if config.access.token_env is None else "token_env"
        yield Found(("access", which), error.expected, error.came, error.hint)


def check_public(config: Config, environ: Mapping[str, str]) -> Iterator[Found]:
    """A bind that other machines reach, without client keys or an admin token. For those who are about to serve."""
    if config.allow_public_bind:
        return
    expected = "an address that only this machine reaches"
    besides = (("allow_public_bind",),)
    if not is_loopback(config.host) and not _has_keys(config):
        yield Found(("host",), expected, said(config.host), _NO_KEY, besides)
    try:
        has_token = read_admin_token(config, environ) is not None
    except UnusableError:
        return  # told already
    if not is_loopback(config.console_host) and not has_token:
        yield Found(("console_host",), expected, said(config.console_host), _NO_TOKEN, besides)


def _has_keys(config: Config) -> bool:
    """Whether some client can call with a key of ours."""
    try:
        snapshot = read_snapshot(control_path(FilePath(config.data)))
    except (OSError, ValueError):
        return False
    return snapshot is not None and any(key.revoked_unix_ns is None for key in snapshot.keys)
