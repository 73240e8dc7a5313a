"""Models as people and metrics see them: rows for tables, gauges with a bound. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from proxy.core.call_json import rfc3339
from proxy.observe.families import OTHER, Labels
from proxy.observe.upstreams.answers import Installed, Loaded, Shown
from proxy.observe.upstreams.watch import ModelsSeen

NONE_SEEN: Final = ModelsSeen()
MODELS_TOLD: Final = 100  # of one upstream in metrics: loaded ones first, then as listed (newest first)


class ModelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model, as a table tells it. None is unknown."""

    upstream: str
    name: str
    digest: str | None = None
    quantization: str | None = None
    family: str | None = None
    parameter_size: str | None = None
    size_bytes: int | None = None
    context_length: int | None = None
    template_hash: str | None = None
    loaded: bool | None = None
    loaded_context: int | None = None
    vram_bytes: int | None = None
    expires_in_s: float | None = None


class Figures(NamedTuple):
    """Values of gauges by label set."""

    installed: dict[Labels, float]
    loaded: dict[Labels, float]
    vram_bytes: dict[Labels, float]


def model_rows(seen: Mapping[str, ModelsSeen], *, most: int) -> list[ModelRow]:
    """The first models of all upstreams, loaded ones first."""
    rows = [
        _row(upstream, installed, models)
        for upstream, models in seen.items()
        for installed in (models.installed or {}).values()
    ]
    return sorted(rows, key=lambda row: not row.loaded)[:most]


def model_counts(seen: ModelsSeen) -> dict[str, Any]:
    """Of one upstream, as /health tells them; None = not known, or no Ollama."""
    return {
        "installed": None if seen.installed is None else len(seen.installed),
        "loaded": None if seen.loaded is None else len(seen.loaded),
        "looked_at": None if seen.at_unix_s is None else rfc3339(int(seen.at_unix_s * 1e9)),
        "error": seen.error,
    }


def model_figures(seen: Mapping[str, ModelsSeen]) -> Figures:
    """Gauges of all upstreams; the models of one beyond MODELS_TOLD are `other` together."""
    figures = Figures({}, {}, {})
    for upstream, models in seen.items():
        if models.installed is None:
            continue
        figures.installed[upstream,] = len(models.installed)
        if models.loaded is None:
            continue
        first = dict.fromkeys((*models.loaded, *models.installed))
        for place, name in enumerate(first):
            found = models.loaded.get(name)
            labels = (upstream, name if place < MODELS_TOLD else OTHER)
            figures.loaded[labels] = figures.loaded.get(labels, 0) + (found is not None)
            if found is not None and found.vram_bytes is not None:
                figures.vram_bytes[labels] = figures.vram_bytes.get(labels, 0) + found.vram_bytes
    return figures


def _row(upstream: str, installed: Installed, models: ModelsSeen) -> ModelRow:
    shown = models.shown.get(installed.name, Shown())
    found = None if models.loaded is None else models.loaded.get(installed.name)
    running = found or Loaded()
    return ModelRow(
        upstream=upstream,
        name=installed.name,
        digest=installed.digest,
        quantization=installed.quantization or shown.quantization,
        family=installed.family,
        parameter_size=installed.parameter_size,
        size_bytes=installed.size_bytes,
        context_length=installed.context_length or shown.context_length,
        template_hash=shown.template_hash,
        loaded=None if models.loaded is None or installed.remote else found is not None,
        loaded_context=running.context,
        vram_bytes=running.vram_bytes,
        expires_in_s=None if running.expires_unix_s is None else max(running.expires_unix_s - time.time(), 0.0),
    )
