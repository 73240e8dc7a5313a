"""Path -> route template and dialect, for metric labels and for choosing a reader.

The relay imports this file for every call: keep it free of heavy imports, I/O and regular expressions. Paths are
compared as sent. A trailing slash, `//` or percent-encoding in a fixed part makes another path, as it does for
Ollama, which redirects those; only a parameter may be encoded (`/v1/models/chat%3Alatest`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

Dialect = Literal[
    "openai_chat",
    "openai_completions",
    "openai_embeddings",
    "openai_responses",
    "anthropic_messages",
    "ollama_chat",
    "ollama_generate",
    "ollama_embed",
    "ollama_embeddings",
    "other",  # passed on and timed; no tokens are claimed
]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


class Route(NamedTuple):
    """What a path is: `template` is one of ROUTES, `dialect` says who reads a POST to it."""

    template: str
    dialect: Dialect


OTHER: Final = Route("other", "other")

# LiteLLM serves these with and without /v1, Ollama with /v1 only.
_OPENAI: Final[dict[str, Dialect]] = {
    "/chat/completions": "openai_chat",
    "/completions": "openai_completions",
    "/embeddings": "openai_embeddings",
    "/responses": "openai_responses",
    "/models": "other",
    "/audio/transcriptions": "other",
    "/audio/speech": "other",
    "/images/generations": "other",
    "/moderations": "other",
    "/rerank": "other",
}
_FIXED: Final[dict[str, Dialect]] = {
    "/v1/messages": "anthropic_messages",
    "/v1/messages/count_tokens": "other",
    "/v1/model/info": "other",
    "/api/chat": "ollama_chat",
    "/api/generate": "ollama_generate",
    "/api/embed": "ollama_embed",
    "/api/embeddings": "ollama_embeddings",
    "/": "other",
    "/api/tags": "other",
    "/api/ps": "other",
    "/api/show": "other",
    "/api/version": "other",
    "/api/status": "other",
    "/api/pull": "other",
    "/api/push": "other",
    "/api/create": "other",
    "/api/copy": "other",
    "/api/delete": "other",
    "/health": "other",
    "/health/liveliness": "other",
    "/health/liveness": "other",
    "/health/readiness": "other",
}
_BY_PATH: Final[dict[str, Route]] = {
    path: Route(path, dialect)
    for path, dialect in (
        *_FIXED.items(),
        *((prefix + path, dialect) for prefix in ("", "/v1") for path, dialect in _OPENAI.items()),
    )
}

# One parameter each: what goes before it, its name, what follows.
_WITH_PARAMETER: Final[tuple[tuple[str, str, str, Dialect], ...]] = (
    ("/openai/deployments/", "{model}", "/chat/completions", "openai_chat"),
    ("/openai/deployments/", "{model}", "/completions", "openai_completions"),
    ("/openai/deployments/", "{model}", "/embeddings", "openai_embeddings"),
    ("/v1/models/", "{model}", "", "other"),
    ("/models/", "{model}", "", "other"),
    ("/v1/responses/", "{response_id}", "/cancel", "other"),
    ("/v1/responses/", "{response_id}", "/input_items", "other"),
    ("/v1/responses/", "{response_id}", "", "other"),
    ("/api/blobs/", "{digest}", "", "other"),
)
_BY_PREFIX: Final[tuple[tuple[str, str, Route], ...]] = tuple(
    (before, after, Route(before + name + after, dialect)) for before, name, after, dialect in _WITH_PARAMETER
)

ROUTES: Final[tuple[str, ...]] = (
    *(route.template for route in _BY_PATH.values()),
    *(route.template for _, _, route in _BY_PREFIX),
    OTHER.template,
)


def match(target: str) -> Route:
    """Route of a request target (`/v1/chat/completions?x=1`); OTHER when it is none that we know."""
    path = target.partition("?")[0]
    known = _BY_PATH.get(path)
    return known if known is not None else _match_parameter(path)[0]


def model_in_path(target: str) -> str | None:
    """The model named by the path, still percent-encoded (`/openai/deployments/{model}/...`); None = not there."""
    route, parameter = _match_parameter(target.partition("?")[0])
    return parameter if "{model}" in route.template else None


def _match_parameter(path: str) -> tuple[Route, str | None]:
    for before, after, route in _BY_PREFIX:
        if path.startswith(before) and path.endswith(after):
            parameter = path[len(before) : len(path) - len(after)]
            # %2F decodes to a slash: two segments, another path.
            if parameter and "/" not in parameter and "%2f" not in parameter.lower():
                return route, parameter
    return OTHER, None
