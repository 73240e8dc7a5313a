"""/v1/embeddings, /api/embed, /api/embeddings: unit vectors made of the text's hash; `embed` says (1, 0, 0...)."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
import time
from typing import TYPE_CHECKING, Any

from proxy.standin import gojson, wishes
from proxy.standin.call import RefusedError
from proxy.standin.model import Model, count

if TYPE_CHECKING:
    from proxy.standin.call import Call

DIMENSIONS = 256
# Before the engine changed, /api/embeddings gave the vector as it came out of the recordings' model.
_OLD_LENGTH = 15.979557991027832


def embed(model: Model, text: str, dimensions: int | None = None) -> list[float]:
    """The unit vector of `text`, cut to `dimensions` if so wished."""
    size = max(1, min(dimensions or DIMENSIONS, DIMENSIONS))
    if model.name == "embed:latest":
        return [1.0] + [0.0] * (size - 1)
    bits = hashlib.shake_256(f"{model.name} {text}".encode("utf-8", "replace")).digest(2 * size)
    raw = [number / 32768 for number in struct.unpack(f"<{size}h", bits)]
    length = math.sqrt(sum(number * number for number in raw)) or 1.0
    return [number / length for number in raw]


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise RefusedError(400, "invalid input type")
    return texts


async def _ready(call: Call, name: str) -> tuple[Model, int]:
    """The model, loaded, and how many ns that took."""
    model = call.stand_in.catalog.find(name)
    if model is None:
        message = f'model "{name}" not found, try pulling it first' if name else "model '' not found"
        raise RefusedError(404, message)
    slots = call.stand_in.slots
    load_ns = await slots.acquire(call, model.name)
    slots.release(call, model.name)
    call.phase = "answer"
    return model, load_ns


async def openai(call: Call) -> None:
    """POST /v1/embeddings."""
    asked = await wishes.read(call, "openai.EmbedRequest")
    name = str(asked.get("model") or "")
    texts = _texts(asked.get("input"))
    model, _ = await _ready(call, name)
    dimensions = wishes.whole(asked.get("dimensions"))
    in_base64 = asked.get("encoding_format") == "base64"
    entries = []
    for index, text in enumerate(texts):
        vector = embed(model, text, dimensions)
        if in_base64:
            shown = b'"%b"' % base64.b64encode(struct.pack(f"<{len(vector)}f", *vector))
        else:
            shown = gojson.vector(vector)
        entries.append(b'{"object":"embedding","embedding":%b,"index":%d}' % (shown, index))
    tokens = sum(count(model, text) for text in texts)
    body = b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}\n' % (
        b",".join(entries), gojson.dump(name), tokens, tokens,
    )  # fmt: skip
    await call.reply(body, content_type="application/json")


async def native(call: Call) -> None:
    """POST /api/embed."""
    asked = await wishes.read(call, "api.EmbedRequest", early=False)
    name = str(asked.get("model") or "")
    texts = _texts(asked.get("input"))
    model, load_ns = await _ready(call, name)
    vectors = b",".join(gojson.vector(embed(model, text, wishes.whole(asked.get("dimensions")))) for text in texts)
    body = b'{"model":%b,"embeddings":[%b],"total_duration":%d,"load_duration":%d,"prompt_eval_count":%d}' % (
        gojson.dump(name), vectors, time.monotonic_ns() - call.began_ns, load_ns,
        sum(count(model, text) for text in texts),
    )  # fmt: skip
    await call.reply(body, content_type="application/json; charset=utf-8")


async def native_old(call: Call) -> None:
    """POST /api/embeddings: one vector, no counts."""
    asked = await wishes.read(call, "api.EmbeddingRequest", early=False)
    model, _ = await _ready(call, str(asked.get("model") or ""))
    vector = embed(model, str(asked.get("prompt") or ""))
    if call.old and model.name == "embed:latest":
        shown = b"[" + repr(_OLD_LENGTH).encode() + b",0" * (len(vector) - 1) + b"]"
    else:
        shown = gojson.vector(vector)
    await call.reply(b'{"embedding":%b}' % shown, content_type="application/json; charset=utf-8")
