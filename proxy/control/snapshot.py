"""The control snapshot: what relays decide by, beside the settings. One immutable value in one small file.

New kinds of decisions are new fields with a default: an older relay passes over what it does not know, a newer one
reads an older file. It holds hashes of keys, never keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from proxy.core.client_key import ClientKey

NAME: Final = "control.json"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided so far."""

    written_unix_ns: int = 0
    keys: tuple[ClientKey, ...] = ()  # revoked ones too: whoever had keys once is not open again without


_decode: Final = msgspec.json.Decoder(Snapshot).decode


def control_path(data: Path) -> Path:
    """Where the snapshot of a data directory lies."""
    return data / NAME


def read_snapshot(path: Path) -> Snapshot | None:
    """The snapshot; None = there is no file. Raises OSError, and ValueError when it is no snapshot."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return _decode(content)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no control snapshot: {error}") from error


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The file's content."""
    return msgspec.json.format(msgspec.json.encode(snapshot), indent=1) + b"\n"
