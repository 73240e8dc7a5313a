"""Fingerprints of conversations: rolling hashes of what was said, keyed with a secret of the installation. No content.

Each line of a transcript is hashed together with the hash before it, so that the hash after a line stands for all that
was said up to there. An answer goes on from the hash of its request. What SDKs change when they send an answer back
makes no difference: null or "" for no text, blanks around it, spelling and order of JSON arguments, ids of tool calls,
reasoning left out, text and calls in one message or in several. System prompts are not part of it: many hold the date.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from proxy.wire import foreign
from proxy.wire.meaning import Meaning
from proxy.wire.transcript import Line, LineKind, Transcript

KEY_NAME: Final = "conversations.key"
_KEY_BYTES: Final = 32
_BYTES: Final = 8  # 2**64 values for some ten thousand that are remembered
_START: Final = bytes(_BYTES)
_NONE: Final = bytes(_BYTES)
_MODELS: Final = ("assistant", "call")  # kinds of lines that the model says
_TAGS: Final = {"user": b"u", "assistant": b"a", "call": b"c", "result": b"r"}


class Fingerprint(msgspec.Struct, frozen=True, gc=False):
    """One call's."""

    prefixes: tuple[bytes, ...]  # hash after each step of the request; the first is that of nothing
    kinds: tuple[LineKind, ...]  # of these steps, so one fewer
    lines: tuple[int, ...]  # how many lines of the transcript each prefix stands for
    asked_at: int  # place of the prefix without words that the request puts into the model's mouth at its end
    answered: bytes | None  # hash with the answer; None = it said nothing
    frame: bytes  # of system prompt and tools
    response: bytes | None  # of the answer's own id, where requests can name it

    @property
    def asked(self) -> bytes:
        """Hash of what the request says."""
        return self.prefixes[self.asked_at]

    def kept(self) -> Kept:
        """What the ledger keeps of it."""
        return Kept(self.asked, self.answered, self.frame, self.response)


class Kept(msgspec.Struct, frozen=True, gc=False):
    """What the ledger keeps of a fingerprint."""

    asked: bytes
    answered: bytes | None
    frame: bytes
    response: bytes | None

    def text(self) -> str:
        """For a column: 32 or 43 characters."""
        packed = self.asked + (self.answered or _NONE) + self.frame + (self.response or b"")
        return urlsafe_b64encode(packed).rstrip(b"=").decode()


def kept_from(text: str) -> Kept | None:
    """A column's value read back; None when it is none of ours."""
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if len(packed) not in (3 * _BYTES, 4 * _BYTES):
        return None
    asked, answered, frame, response = (packed[at : at + _BYTES] for at in range(0, 4 * _BYTES, _BYTES))
    return Kept(asked, answered if answered != _NONE else None, frame, response or None)


class Fingerprints:
    """Makes them, with one key. Pure but for the key."""

    def __init__(self, key: bytes) -> None:
        self._base = blake2b(key=key[:64], digest_size=_BYTES)

    def of(self, transcript: Transcript, meaning: Meaning, *, tools: bytes, start: bytes | None = None) -> Fingerprint:
        """The call's. tools: hash of those on offer. start: of what the request does not repeat, where it goes on from
        an answer that it names.
        """
        prefixes, lines = [start or _START], [0]
        kinds: list[LineKind] = []
        at = 0
        for kind, text, count in _steps(transcript.lines):
            at += count
            prefixes.append(self._hash(prefixes[-1], _TAGS[kind], text))
            kinds.append(kind)
            lines.append(at)
        prefilled = 0  # steps at the end that are the model's: the answer goes on from them
        while prefilled < len(kinds) and kinds[-1 - prefilled] in _MODELS:
            prefilled += 1
        asked = prefixes[-1 - prefilled]
        return Fingerprint(
            prefixes=tuple(prefixes),
            kinds=tuple(kinds),
            lines=tuple(lines),
            asked_at=len(kinds) - prefilled,
            answered=self._answered(asked, _last_run(transcript.lines) if prefilled else [], meaning),
            frame=self._hash(tools, b"s", transcript.system) if transcript.system else tools,
            response=self.id(meaning.response_id) if meaning.dialect == "openai_responses" else None,
        )

    def tools(self, said: Sequence[Any]) -> bytes:
        """Hash of the tools on offer."""
        return self._hash(_START, b"t", _plain_json(said)) if said else _NONE

    def id(self, name: str | None) -> bytes | None:
        """Hash of an answer's id."""
        return None if name is None else self._hash(_START, b"i", name)

    def _answered(self, asked: bytes, begun: list[Line], meaning: Meaning) -> bytes | None:
        if not (meaning.text or meaning.refusal or meaning.tool_calls):
            return None
        if not begun and not meaning.tool_calls:  # nearly always
            text = (meaning.text + meaning.refusal).strip()
            return self._hash(asked, _TAGS["assistant"], text) if text else None
        told = [*begun, Line("assistant", meaning.text + meaning.refusal)]
        told += [Line("call", call.arguments, call.name) for call in meaning.tool_calls]
        found = asked
        for kind, text, _ in _steps(told):
            found = self._hash(found, _TAGS[kind], text)
        return found if found != asked else None

    def _hash(self, before: bytes, tag: bytes, text: str) -> bytes:
        hashing = self._base.copy()
        hashing.update(before + tag + text.encode("utf-8", "surrogatepass"))
        return hashing.digest()


def key_of(data: Path) -> bytes:
    """The installation's key, made at the first start. Raises OSError."""
    path = data / KEY_NAME
    try:
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    except FileNotFoundError:
        pass
    key = os.urandom(_KEY_BYTES)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(key)
    draft.replace(path)
    return key


def _steps(lines: Iterable[Line]) -> Iterator[tuple[LineKind, str, int]]:
    """(kind, normal text, lines it stands for): what the model said in one run becomes its text, then its calls."""
    run: list[Line] = []
    untold = 0  # lines of runs that said nothing
    for line in lines:
        if line.kind in _MODELS:
            run.append(line)
            continue
        if run:
            yield from _of_run(run, untold)
            untold = 0 if any(map(_says, run)) else untold + len(run)
            run = []
        yield line.kind, line.text.strip(), untold + 1
        untold = 0
    if run:
        yield from _of_run(run, untold)


def _of_run(run: Sequence[Line], before: int) -> Iterator[tuple[LineKind, str, int]]:
    text = "".join([line.text for line in run if line.kind == "assistant"]).strip()
    calls = [f"{line.name or ''}\0{_arguments(line.text)}" for line in run if line.kind == "call"]
    if text:
        yield "assistant", text, 0 if calls else before + len(run)
    for place, call in enumerate(calls, 1):
        yield "call", call, before + len(run) if place == len(calls) else 0


def _says(line: Line) -> bool:
    return line.kind == "call" or bool(line.text.strip())


def _last_run(lines: Sequence[Line]) -> list[Line]:
    start = len(lines)
    while start and lines[start - 1].kind in _MODELS:
        start -= 1
    return list(lines[start:])


def _arguments(text: str) -> str:
    """Arguments in one spelling; as they are where they are no JSON."""
    try:
        return _plain_json(orjson.loads(text))
    except ValueError:
        return text.strip()


def _plain_json(value: Any) -> str:
    """One spelling for equal JSON: keys in order, 1.0 as 1 (JavaScript and Go write it so)."""
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if b".0" in text:
            text = orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS)
        return text.decode()
    except (TypeError, ValueError, RecursionError):
        return foreign.dump_json(value)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value
