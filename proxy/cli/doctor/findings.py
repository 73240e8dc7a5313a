"""What the doctor found: one sentence each, and what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

Mark = Literal["ok", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. `do` is empty when it is as it should be."""

    mark: Mark
    about: str  # upstream, data, port ...
    found: str
    do: str = ""


def ok(about: str, found: str) -> Finding:
    return Finding(mark="ok", about=about, found=found)


def warning(about: str, found: str, do: str) -> Finding:
    """Works, but less well than it could, or not for long."""
    return Finding(mark="warning", about=about, found=found, do=do)


def wrong(about: str, found: str, do: str) -> Finding:
    """Does not work until somebody does something."""
    return Finding(mark="wrong", about=about, found=found, do=do)
