"""What all sections share: their base, and the types of their values."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Bytes = Annotated[int, Meta(ge=0)]
Level = Literal["debug", "info", "warning", "error"]
Days = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all sections, so that one rule serves all."""
