"""Latency: where the time of a call goes."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, MODEL, PACE, Page, Panel, Query, Row, quantiles


def _mean(part: str) -> Query:
    name = f"sightglass_{part}_seconds"
    return Query(
        f"sum(rate({name}_sum{{{MODEL}}}[{PACE}])) / sum(rate({name}_count{{{MODEL}}}[{PACE}]))",
        part.replace("_", " "),
    )


_NATIVE: Final = "only calls in Ollama's own dialect (/api) tell"

LATENCY: Final = Page(
    "sightglass-latency",
    "Sightglass: latency",
    "The parts of a call's time: what the upstream does, what the client sees, what is ours.",
    (
        Row(
            "What the client sees",
            (
                Panel(
                    "First token, by model",
                    "Any kind of token: text, reasoning, a call of a tool.",
                    "s",
                    quantiles("sightglass_first_token_seconds", MODEL, by="model", examples=True),
                    width=12,
                ),
                Panel(
                    "First token of the answer, by model",
                    "Reasoning left out.",
                    "s",
                    quantiles("sightglass_first_answer_token_seconds", MODEL, by="model"),
                    width=12,
                ),
                Panel(
                    "Between pieces",
                    "Median time between two pieces with tokens, of each stream.",
                    "s",
                    quantiles("sightglass_piece_gap_seconds", MODEL),
                ),
                Panel(
                    "Longest silence",
                    "Longest time between two pieces with tokens, of each stream.",
                    "s",
                    quantiles("sightglass_piece_gap_max_seconds", MODEL),
                ),
                Panel(
                    "Whole call, by model",
                    "From acceptance to the end of the answer.",
                    "s",
                    quantiles("sightglass_call_duration_seconds", MODEL, by="model", examples=True),
                ),
            ),
        ),
        Row(
            "What the upstream does",
            (
                Panel(
                    "Mean parts, as Ollama says",
                    "Waiting, loading the model, reading the prompt, generating: stacked"
                    " they are a mean call of Ollama's.",
                    "s",
                    tuple(map(_mean, ("queue", "load", "prompt_eval", "generation"))),
                    "stacked",
                    12,
                    none=_NATIVE,
                ),
                Panel(
                    "Waiting inside Ollama",
                    "Raise OLLAMA_NUM_PARALLEL, or spread the load, when it grows.",
                    "s",
                    quantiles("sightglass_queue_seconds", MODEL),
                    width=12,
                    none=_NATIVE,
                ),
                Panel(
                    "Loading",
                    "What calls waited until their model was in memory.",
                    "s",
                    quantiles("sightglass_load_seconds", MODEL),
                    none=_NATIVE,
                ),
                Panel(
                    "Reading the prompt",
                    "Grows with prompts and when they no longer begin alike.",
                    "s",
                    quantiles("sightglass_prompt_eval_seconds", MODEL),
                    none=_NATIVE,
                ),
                Panel(
                    "Tokens a second",
                    "Speed of generating, by model: half of the calls are faster.",
                    "short",
                    (
                        Query(
                            "histogram_quantile(0.5, sum by (le, model)"
                            f" (rate(sightglass_tokens_per_second_bucket{{{MODEL}}}[{PACE}])))",
                            "{{model}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "On the way",
            (
                Panel(
                    "Head of the answer",
                    "From acceptance to the head of the upstream's answer.",
                    "s",
                    quantiles("sightglass_headers_seconds", MODEL),
                ),
                Panel(
                    "First byte",
                    "From acceptance to the first byte of the answer's body.",
                    "s",
                    quantiles("sightglass_first_byte_seconds", MODEL),
                ),
                Panel(
                    "Our own part",
                    "Neither client nor connecting nor upstream, of all models.",
                    "s",
                    quantiles("sightglass_relay_overhead_seconds", JOB),
                ),
            ),
        ),
    ),
)
