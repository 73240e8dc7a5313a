"""The console's admin token, from where the settings say. Never tells it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Final

from proxy.control.admin_token import token_path
from proxy.core.config import Config
from proxy.settings.mistakes import Mistake, SettingsError, UnusableError
from proxy.settings.upstreams import key_from_file, key_from_variable

SHORTEST: Final = 16  # characters: with five tries a minute nobody guesses that


def read_admin_token(config: Config, environ: Mapping[str, str]) -> str | None:
    """The token; None = none is set, and none was made yet. Raises UnusableError, which never holds it."""
    access = config.access
    if access.token_env is not None and access.token_file is not None:
        raise UnusableError("either token_env or token_file", "both", "keep one")
    if access.token_env is not None:
        token = key_from_variable(access.token_env, environ)
    elif access.token_file is not None:
        token = key_from_file(access.token_file)
    else:
        made = token_path(FilePath(config.data))
        if not made.exists():
            return None
        token = key_from_file(str(made))
    if len(token) < SHORTEST:
        raise UnusableError(f"an admin token of at least {SHORTEST} characters", f"one of {len(token)}")
    return token


def resolve_admin_token(config: Config, environ: Mapping[str, str]) -> str | None:
    """The token for the console; None = there is none. Raises SettingsError."""
    try:
        return read_admin_token(config, environ)
    except UnusableError as error:
        mistake = Mistake(path="access.token_file", expected=error.expected, came=error.came, hint=error.hint)
        raise SettingsError([mistake]) from None
