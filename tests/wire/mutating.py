"""Recorded exchanges with something wrong in them: bytes, values of the JSON, heads, pieces, endings."""

from __future__ import annotations

import json
import random
from typing import Any, Final, get_args

import msgspec
from msgspec.structs import replace

from proxy.core.exchange import Ending, Exchange, Pieces

_ENDINGS: Final = get_args(Ending)
_KINDS: Final = ("ollama", "litellm", "openai", "auto", None)
_SPLICES: Final = (b"\r", b"\n\n", b"\xff", b'"\\ud800"', b"NaN", b"[" * 2000, b"1" * 30, b"\0", b"data: ", b"[DONE]")
FOREIGN: Final = [
    *(None, True, -1, 0, 2**70, 1.5, float("nan"), float("inf")),
    *("", "x", "\ud83d", "\0\x1b[31m", [], ["x"], {}, {"a": 1}),
]


def broken(chance: random.Random, exchange: Exchange) -> Exchange:
    """Bytes of bodies and heads changed; sometimes another ending, another server, other pieces."""
    finished = exchange.finished
    if chance.random() < 0.3:
        finished = replace(finished, ending=chance.choice(_ENDINGS), upstream_kind=chance.choice(_KINDS))
    answer = mutated(chance, exchange.answer_body)
    return Exchange(
        finished=finished,
        request_head=mutated(chance, exchange.request_head) if chance.random() < 0.3 else exchange.request_head,
        request_body=mutated(chance, exchange.request_body),
        answer_head=mutated(chance, exchange.answer_head) if chance.random() < 0.3 else exchange.answer_head,
        answer_body=answer,
        pieces=Pieces.of(_cut(chance, len(answer))) if chance.random() < 0.3 else exchange.pieces,
    )


def swapped(chance: random.Random, exchange: Exchange) -> Exchange:
    """Any value of the JSON of the bodies may be any other."""
    lines = exchange.answer_body.split(b"\n")
    return replace(
        exchange,
        answer_body=b"\n".join([_swapped_line(chance, line) for line in lines]),
        request_body=_swapped_line(chance, exchange.request_body),
    )


def mutated(chance: random.Random, text: bytes) -> bytes:
    """Up to four changes of the bytes."""
    changed = bytearray(text)
    for _ in range(chance.randint(0, 4)):
        at = chance.randint(0, len(changed))
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.randint(1, 60)]
            case 2:
                changed[at:at] = changed[: chance.randint(0, 300)]
            case _:
                changed[at:at] = chance.choice(_SPLICES)
    return bytes(changed)


def _cut(chance: random.Random, size: int) -> tuple[tuple[float, int], ...]:
    """Pieces that make up so many bytes, or nearly: a journal may be wrong, too."""
    sizes = [chance.randint(0, size) for _ in range(chance.randint(0, 5))]
    return tuple((0.01 * place, each) for place, each in enumerate(sizes))


def _swapped_line(chance: random.Random, line: bytes) -> bytes:
    start = line.find(b"{")
    if start < 0 or chance.random() < 0.5:
        return line
    try:
        value = json.loads(line[start:])
    except ValueError:
        return line
    return line[:start] + json.dumps(_swap_one(chance, value)).encode()


def _swap_one(chance: random.Random, value: Any) -> Any:
    """The value with one of its parts, however deep, replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return {**value, name: _swap_one(chance, value[name])}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], _swap_one(chance, value[at]), *value[at + 1 :]]
    return chance.choice(FOREIGN)


def meta(exchange: Exchange, call_id: str) -> bytes:
    """Of the finished frame that a relay would write of it."""
    return msgspec.json.encode(replace(exchange.finished, call_id=call_id))
