"""Upstreams, as the watcher sees them."""

from __future__ import annotations

from typing import Final

from proxy.observe.definitions.forms import counter, gauge

UPSTREAM_UP: Final = gauge(
    "sightglass_upstream_up", "1: the upstream answered the last probe. 0: it did not.", "upstream"
)
UPSTREAM_INFO: Final = gauge(
    "sightglass_upstream_info", "Always 1; what answers at the upstream's address.", "upstream", "kind", "version"
)
UPSTREAM_LAST_LOOK: Final = gauge(
    "sightglass_upstream_last_look_timestamp_seconds",
    "When the upstream was last asked how it is, Unix time.",
    "upstream",
)
MODELS_INSTALLED: Final = gauge(
    "sightglass_models_installed", "Models that an Ollama has, at the last look that told.", "upstream"
)
MODEL_LOADED: Final = gauge(
    "sightglass_model_loaded",
    "1: the model is in memory, at the last look. 0: it is installed only. `other`: how many of the rest are loaded.",
    "upstream",
    "model",
)
MODEL_VRAM: Final = gauge(
    "sightglass_model_vram_bytes", "Memory of the GPU that a loaded model takes, as Ollama says.", "upstream", "model"
)
UPSTREAM_CHANGES: Final = counter(
    "sightglass_upstream_changes_total",
    "Changes of models and versions at the upstreams, each an event in the ledger; see [events](events.md).",
    "upstream",
    "kind",
)
UPSTREAM_CHANGES_LEFT_OUT: Final = counter(
    "sightglass_upstream_changes_left_out_total",
    "Changes that are no event, as one upstream had more than a thousand within the hour.",
)
