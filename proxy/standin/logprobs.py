"""Log probabilities of a model that is sure of itself: the token said has 0, the others next to nothing. Pure."""

from __future__ import annotations

from typing import Any

from proxy.standin import gojson
from proxy.standin.script import Step

# What the recordings' models give to everything else, before and after the engine changed.
_OTHER_NEW = b'{"token":"","logprob":-3.4028234663852886e+38}'
_OTHER_OLD = b'{"token":"\\u003cunk\\u003e","logprob":-127.83646392822266,"bytes":[60,117,110,107,62]}'


def logprobs(steps: list[Step], top: int, *, old: bool) -> bytes:
    """The JSON array of tokens, one a step, each with its `top` likeliest."""
    others = [_OTHER_OLD if old else _OTHER_NEW] * (top - 1)
    said = []
    for step in steps:
        own: dict[str, Any] = {"token": step.token, "logprob": 0, "bytes": list(step.token.encode())}
        raw = gojson.dump(own)
        if top > 0:
            raw = raw[:-1] + b',"top_logprobs":[' + b",".join([raw, *others]) + b"]}"
        said.append(raw)
    return b"[" + b",".join(said) + b"]"
