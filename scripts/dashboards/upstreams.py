"""Models and upstreams."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, RED, Page, Panel, Query, Row, quantiles, rate

UPSTREAMS: Final = Page(
    "sightglass-upstreams",
    "Sightglass: models and upstreams",
    "What answers behind Sightglass, with which models, and what changed there.",
    (
        Row(
            "Upstreams",
            (
                Panel(
                    "Up",
                    "1: it answered the last look at its free health path.",
                    "short",
                    (Query(f"sightglass_upstream_up{{{JOB}}}", "{{upstream}}"),),
                ),
                Panel(
                    "Since the last good call",
                    "Time since a call to it ended well; nobody calling counts, too.",
                    "s",
                    (Query(f"time() - (sightglass_last_success_timestamp_seconds{{{JOB}}} > 0)", "{{upstream}}"),),
                ),
                Panel(
                    "Calls by upstream",
                    "`none`: the call went to none.",
                    "reqps",
                    (rate("sightglass_calls_total", MODEL, "upstream"),),
                    "stacked",
                ),
                Panel(
                    "Connections",
                    "To all upstreams: busy with a call, or kept for the next.",
                    "short",
                    (Query(f"sum by (state) (sightglass_upstream_connections{{{JOB}}})", "{{state}}"),),
                    "stacked",
                ),
                Panel(
                    "Sent again",
                    "Requests sent again, as a kept connection proved dead.",
                    "reqps",
                    (rate("sightglass_retries_total", JOB, legend="requests"),),
                ),
                Panel(
                    "What answers",
                    "Kind and version of each.",
                    "short",
                    (Query(f"sightglass_upstream_info{{{JOB}}}", "{{upstream}}: {{kind}} {{version}}"),),
                ),
            ),
        ),
        Row(
            "Models",
            (
                Panel(
                    "Loaded",
                    "1: in memory. `other`: how many of the rest.",
                    "short",
                    (Query(f"sightglass_model_loaded{{{MODEL}}} > 0", "{{upstream}} {{model}}"),),
                    needs="loaded models",
                ),
                Panel(
                    "Memory of the GPU",
                    "That loaded models take, as Ollama says.",
                    "bytes",
                    (Query(f"sum by (model) (sightglass_model_vram_bytes{{{MODEL}}})", "{{model}}"),),
                    "stacked",
                    needs="loaded models",
                ),
                Panel(
                    "Installed",
                    "How many models each Ollama has.",
                    "short",
                    (Query(f"sightglass_models_installed{{{JOB}}}", "{{upstream}}"),),
                ),
                Panel(
                    "Cold starts",
                    "Calls whose wait for the first token includes loading the model.",
                    "reqps",
                    (rate("sightglass_cold_starts_total", MODEL, "model"),),
                    "stacked",
                    12,
                    needs="cold starts",
                    none="no cold starts",
                ),
                Panel(
                    "Changes",
                    "Models and versions that changed, each an event (`sightglass events`).",
                    "short",
                    (
                        Query(
                            f"sum by (upstream, kind) (increase(sightglass_upstream_changes_total{{{JOB}}}"
                            "[$__rate_interval]))",
                            "{{upstream}} {{kind}}",
                        ),
                    ),
                    width=12,
                    limits=((1, RED),),
                ),
            ),
        ),
        Row(
            "LiteLLM",
            (
                Panel(
                    "Its own part",
                    "LiteLLM's own part of a call, as it says.",
                    "s",
                    quantiles("sightglass_litellm_overhead_seconds", MODEL),
                    needs="LiteLLM",
                ),
                Panel(
                    "Retries",
                    "Attempts of LiteLLM's after the first.",
                    "reqps",
                    (rate("sightglass_litellm_retries_total", MODEL, "model"),),
                    needs="LiteLLM",
                ),
                Panel(
                    "Fallbacks",
                    "Other model groups that it turned to.",
                    "reqps",
                    (rate("sightglass_litellm_fallbacks_total", MODEL, "model"),),
                    needs="LiteLLM",
                ),
            ),
        ),
    ),
)
