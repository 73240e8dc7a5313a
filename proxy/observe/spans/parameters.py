"""What a request asks for, as GenAI attributes: temperature, limits, formats. Pure; foreign JSON is taken as it comes.

Values of the wrong type are left out. Native Ollama has its parameters in `options`, under names of its own.
"""

from __future__ import annotations

from typing import Any, Final

from proxy.observe.spans import names as n
from proxy.observe.spans.encoding import Attributes

STOPS: Final = 16  # stop sequences told; OpenAI takes 4
_CHARACTERS: Final = 256
_INT64: Final = 2**63

_NUMBERS: Final = (
    ("temperature", n.REQUEST_TEMPERATURE),
    ("top_p", n.REQUEST_TOP_P),
    ("top_k", n.REQUEST_TOP_K),
    ("frequency_penalty", n.REQUEST_FREQUENCY_PENALTY),
    ("presence_penalty", n.REQUEST_PRESENCE_PENALTY),
)
_COUNTS: Final = (
    ("max_tokens", n.REQUEST_MAX_TOKENS),
    ("max_completion_tokens", n.REQUEST_MAX_TOKENS),
    ("max_output_tokens", n.REQUEST_MAX_TOKENS),
    ("num_predict", n.REQUEST_MAX_TOKENS),
    ("seed", n.REQUEST_SEED),
)
_NAMES: Final = frozenset(name for name, _ in (*_NUMBERS, *_COUNTS)) | {"stop", "stop_sequences"}


def put_parameters(attributes: Attributes, request: dict[str, Any]) -> None:
    """Add what a generating request asks for."""
    asked = request
    options = request.get("options")
    if isinstance(options, dict):
        asked = {**options, **request}
    if not _NAMES.isdisjoint(asked):
        _put_sampling(attributes, asked)
    choices = request.get("n")
    if type(choices) is int and choices != 1 and abs(choices) < _INT64:
        attributes[n.REQUEST_CHOICES] = choices
    output = _output_type(request)
    if output is not None:
        attributes[n.OUTPUT_TYPE] = output


def put_embedding(attributes: Attributes, request: dict[str, Any]) -> None:
    """Add what a request for embeddings asks for."""
    dimensions, encoding = request.get("dimensions"), request.get("encoding_format")
    if type(dimensions) is int and abs(dimensions) < _INT64:
        attributes[n.EMBEDDING_DIMENSIONS] = dimensions
    if isinstance(encoding, str):
        attributes[n.REQUEST_ENCODINGS] = (encoding[:_CHARACTERS],)


def conversation_named(request: dict[str, Any]) -> str | None:
    """The conversation that a Responses request names; None = it names none. Never one that we worked out."""
    named = request.get("conversation")
    if isinstance(named, dict):
        named = named.get("id")
    return named[:_CHARACTERS] if isinstance(named, str) and named else None


def _put_sampling(attributes: Attributes, asked: dict[str, Any]) -> None:
    for name, attribute in _NUMBERS:
        value = asked.get(name)
        if type(value) is float or (type(value) is int and abs(value) < _INT64):
            attributes[attribute] = float(value)
    for name, attribute in _COUNTS:
        value = asked.get(name)
        if type(value) is int and abs(value) < _INT64:
            attributes[attribute] = value
    stop = asked.get("stop", asked.get("stop_sequences"))
    if isinstance(stop, str):
        attributes[n.REQUEST_STOP] = (stop[:_CHARACTERS],)
    elif isinstance(stop, list) and stop:
        attributes[n.REQUEST_STOP] = tuple(text[:_CHARACTERS] for text in stop[:STOPS] if isinstance(text, str))


def _output_type(request: dict[str, Any]) -> str | None:
    """text or json, where the request says a format: response_format, Responses' text.format, Ollama's format."""
    form = request.get("response_format", request.get("format"))
    if form is None:
        text = request.get("text")
        form = text.get("format") if isinstance(text, dict) else None
    if isinstance(form, dict):
        kind = form.get("type")
        return "text" if kind == "text" else "json"
    return "json" if form == "json" else None
