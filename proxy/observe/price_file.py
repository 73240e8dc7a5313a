"""litellm's price file: found without importing litellm, read again when it changes, never trusted to be whole.

The file has 3 MB and 4,200 entries, of which one Sightglass meets a handful: it is cut into entries at once, and an
entry is parsed when a call asks for it, with prices as exact decimals.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

FILE_NAME: Final = "model_prices_and_context_window_backup.json"
CHECK_S: Final = 5.0  # a stat at most this often
_SAMPLE: Final = "sample_spec"  # the file's own documentation, no model

_cut = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class PriceFileStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What prices are in force, for health and doctor."""

    path: str | None = None
    entries: int = 0
    modified_unix_s: float | None = None
    sha256: str | None = None  # first 12 hex digits
    error: str | None = None  # why the newest version of the file is not in force


def installed_price_file() -> Path | None:
    """Where the installed litellm keeps its prices; None when there is no litellm."""
    try:
        spec = importlib.util.find_spec("litellm")
    except (ImportError, ValueError):
        return None
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / FILE_NAME if places else None


class PriceFile:
    """The entries of a price file by model name. Not for several threads."""

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """path: None = no prices. clock: seconds, monotonic."""
        self._path = path
        self._clock = clock
        self._entries: dict[str, msgspec.Raw] = {}
        self._by_lower_case: dict[str, str] = {}
        self._by_last_part: dict[str, list[str]] = {}
        self._seen: tuple[int, int, int] | None = None  # mtime, size and inode last read, good or not
        self._check_at = 0.0
        self.status = PriceFileStatus(path=str(path) if path else None)
        self.refresh(at_once=True)

    def refresh(self, *, at_once: bool = False) -> bool:
        """Read the file again if it changed; True when other prices are in force. Looks at most each CHECK_S."""
        now = self._clock()
        if self._path is None or (now < self._check_at and not at_once):
            return False
        self._check_at = now + CHECK_S
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_size, found.st_ino)
            if version == self._seen:
                return False
            text = self._path.read_bytes()
            self._seen = version
            entries = _cut(text)
        except (OSError, msgspec.DecodeError, RecursionError) as error:  # half-written? read again once it is whole
            if isinstance(error, OSError):
                self._seen = None
            self.status = msgspec.structs.replace(self.status, error=f"{type(error).__name__}: {error}")
            return False
        self._take(entries)
        self.status = PriceFileStatus(
            path=str(self._path),
            entries=len(entries),
            modified_unix_s=found.st_mtime_ns / 1e9,
            sha256=hashlib.sha256(text).hexdigest()[:12],
        )
        return True

    def entry(self, key: str) -> Mapping[str, Any] | None:
        """The entry of that key, prices as Decimal or int; None when there is none or it is no object."""
        raw = self._entries.get(key)
        if raw is None:
            return None
        try:
            found = json.loads(bytes(raw), parse_float=Decimal)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def key_in_any_case(self, name: str) -> str | None:
        """The key that equals the name but for capitals."""
        return name if name in self._entries else self._by_lower_case.get(name.lower())

    def keys_ending_with(self, name: str) -> list[str]:
        """Keys `provider/name`, `provider/region/name` and so on."""
        return self._by_last_part.get(name, [])

    def _take(self, entries: dict[str, msgspec.Raw]) -> None:
        entries.pop(_SAMPLE, None)
        self._entries = entries
        self._by_lower_case = {key.lower(): key for key in entries}
        self._by_last_part = {}
        for key in entries:
            if "/" in key:
                self._by_last_part.setdefault(key.rpartition("/")[2], []).append(key)
