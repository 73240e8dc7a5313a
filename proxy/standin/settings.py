"""What can be told to the stand-in: for all calls at POST /stand-in/set, for one by `x-stand-in: key=value;...`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

HEADER = b"x-stand-in"
REPLAY_HEADER = b"x-stand-in-replay"
SPEED_HEADER = b"x-stand-in-speed"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the stand-in behaves. Times in seconds."""

    load_s: float = 0.0  # a model's first use takes so long; nothing is sent meanwhile
    first_token_s: float = 0.0  # prompt evaluation: silence between the slot and the first token
    token_s: float | None = None  # between tokens; None = the model's own pace (10 ms for `slow`, else none)
    tokens: int | None = None  # length of the answer in tokens, the model's text repeated or cut; None = its own
    prompt_tokens: int | None = None  # reported in place of the count; 0 = a server that left it out (cache hit)
    text: str | None = None  # said in place of the model's text, split into words
    personality: str | None = None  # a name of personality.NAMES: the same model, changed
    style: Literal["new", "old"] = "new"  # chat chunks as from Ollama 0.32.6 on, or as before
    version: str | None = None  # of /api/version; None = that of the recordings in this style
    weights: str | None = None  # any text: the models' weights were exchanged, their digests differ
    template: str | None = None  # shown by /api/show in place of the models' own
    parallel: int = 0  # calls that one model answers at once; 0 = no limit, Ollama's default is 1
    max_queue: int = 512  # calls that may wait for a load; one more gets 503
    max_waiting: int = 0  # calls that may wait for a slot; 0 = no limit, as Ollama
    keep_alive_s: float = 300.0  # a model stays loaded so long after its last call
    fault: str | None = None  # a name of faults.NAMES, some with `:value`
    after: int = 3  # tokens said before a fault in mid-stream
    slow_head_s: float = 0.02  # between the bytes of the head under `slow-head`
    replay: str | None = None  # FOLDER/NAME of a recording to send in place of an answer
    speed: float = 1.0  # of a replay: 1 = as recorded, 2 = twice as fast, 0 = at once
    chunk_bytes: int = 0  # no HTTP chunk is longer: cuts events and characters; 0 = as Go frames
    gzip: bool = False  # compress answers of a known length if the client accepts it (as cloud models do)


def changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    """`settings` with `changes` (texts are read as the field's type). Raises ValueError naming what is wrong."""
    known = {field.name: field for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in changes.items():
        field = known.get(name)
        if field is None:
            raise ValueError(f"no setting {name!r}; there are {', '.join(known)}")
        try:
            values[name] = msgspec.convert(_plain(name, value), field.type, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(f"{name}: {error}") from None
    return msgspec.structs.replace(settings, **values)


def _plain(name: str, value: Any) -> Any:
    if name == "fault" and isinstance(value, dict):  # {"kind": "status", "value": 503}
        kind, detail = value.get("kind"), value.get("value")
        return kind if detail is None else f"{kind}:{detail}"
    if value in ("", "none"):
        return None
    return value


def of_call(settings: Settings, headers: list[tuple[bytes, bytes]], *, replay: str | None = None) -> Settings:
    """The settings for one call: `settings` changed by its x-stand-in headers. Raises ValueError.

    replay: the recording that the path asks for.
    """
    changes: dict[str, Any] = {} if replay is None else {"replay": replay}
    for name, value in headers:
        lower = name.lower()
        text = value.decode("latin-1").strip()
        if lower == HEADER:
            pairs = (part.partition("=") for part in text.split(";") if part.strip())
            changes.update({key.strip(): given.strip() for key, _, given in pairs})
        elif lower == REPLAY_HEADER:
            changes["replay"] = text
        elif lower == SPEED_HEADER:
            changes["speed"] = text
    return changed(settings, changes) if changes else settings
