"""Every metric: name, help, labels, buckets. The one place for them; docs/metrics.md is written from it.

Labels hold closed words (route templates, outcomes, statuses by class, parts), names from the settings (upstreams), or
model names, which clients choose and which are therefore capped: see metrics.py.
"""

from __future__ import annotations

from itertools import product
from typing import Final, get_args

from proxy.core.outcomes import OUTCOMES
from proxy.observe.families import Family, Labels
from proxy.observe.guards import PARTS
from proxy.wire.errors import ErrorType

# Loading a 70B model took 140 s, reasoning goes on for minutes: up to 600 s.
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
GAP_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600)
OVERHEAD_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1)
BYTES: Final = (64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)

TOKEN_KINDS: Final = ("prompt", "completion", "cached", "reasoning")
FRAME_KINDS: Final = ("started", "finished")
STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")


def _words(*words: tuple[str, ...]) -> tuple[Labels, ...]:
    return tuple(product(*words))


def _counter(name: str, text: str, *labels: str, known: tuple[Labels, ...] = (), divisor: int = 1) -> Family:
    return Family(name, "counter", text, labels, known=known if labels else ((),), divisor=divisor)


def _gauge(name: str, text: str, *labels: str, known: tuple[Labels, ...] = ()) -> Family:
    return Family(name, "gauge", text, labels, known=known if labels else ((),))


def _histogram(name: str, text: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Family:
    return Family(name, "histogram", text, labels, buckets=buckets, known=() if labels else ((),))


# -- calls, as the ledger has them ---------------------------------------------------------------------------
CALLS: Final = _counter(
    "sightglass_calls_total", "Calls that ended.", "route", "model", "upstream", "outcome", "status_class"
)
OUTCOMES_TOTAL: Final = _counter(
    "sightglass_outcomes_total",
    "Calls that ended, by outcome alone: each word begins at 0, for alert rules.",
    "outcome",
    known=_words(OUTCOMES),
)
ERRORS: Final = _counter(
    "sightglass_errors_total",
    "Calls that ended with an error, by its type.",
    "type",
    known=_words(get_args(ErrorType)),
)
DURATION: Final = _histogram(
    "sightglass_call_duration_seconds",
    "From acceptance to the end of the answer.",
    "route",
    "model",
    "outcome",
)
HEADERS: Final = _histogram(
    "sightglass_headers_seconds", "From acceptance to the head of the upstream's answer.", "route", "model"
)
FIRST_BYTE: Final = _histogram(
    "sightglass_first_byte_seconds", "From acceptance to the first byte of the answer's body.", "route", "model"
)
FIRST_TOKEN: Final = _histogram(
    "sightglass_first_token_seconds",
    "From acceptance to the first token of any kind: text, reasoning, tool call.",
    "route",
    "model",
)
FIRST_ANSWER_TOKEN: Final = _histogram(
    "sightglass_first_answer_token_seconds",
    "From acceptance to the first token of the answer itself, reasoning left out.",
    "route",
    "model",
)
PIECE_GAP: Final = _histogram(
    "sightglass_piece_gap_seconds",
    "Median time between two pieces with tokens; one value a streamed call.",
    "route",
    "model",
    buckets=GAP_SECONDS,
)
PIECE_GAP_MAX: Final = _histogram(
    "sightglass_piece_gap_max_seconds",
    "Longest time between two pieces with tokens; one value a streamed call.",
    "route",
    "model",
    buckets=GAP_SECONDS,
)
QUEUE: Final = _histogram("sightglass_queue_seconds", "Waiting inside Ollama, as its durations tell.", "model")
LOAD: Final = _histogram("sightglass_load_seconds", "Loading the model, as Ollama says.", "model")
PROMPT_EVAL: Final = _histogram("sightglass_prompt_eval_seconds", "Reading the prompt, as Ollama says.", "model")
GENERATION: Final = _histogram("sightglass_generation_seconds", "Generating, as Ollama says.", "model")
TOKENS: Final = _counter(
    "sightglass_tokens_total",
    "Tokens. cached is a part of prompt, reasoning a part of completion: do not add these to the others.",
    "model",
    "kind",
    "source",
)
COST: Final = _counter(
    "sightglass_cost_usd_total",
    "Cost in US dollars, kept exact to 1e-9.",
    "model",
    "upstream",
    "source",
    divisor=10**9,
)
SHADOW_COST: Final = _counter(
    "sightglass_shadow_cost_usd_total",
    "What the same tokens would have cost at the model that the settings compare with, in US dollars.",
    "model",
    "shadow_model",
    "source",
    divisor=10**9,
)
UNPRICED: Final = _counter(
    "sightglass_unpriced_calls_total", "Calls whose tokens are known and whose price is not.", "model"
)
COLD_STARTS: Final = _counter(
    "sightglass_cold_starts_total", "Calls whose wait for the first token includes loading the model.", "model"
)
UNCOUNTED: Final = _counter(
    "sightglass_uncounted_calls_total", "Answered calls (2xx) of a token dialect whose tokens nobody knows.", "model"
)
LITELLM_OVERHEAD: Final = _histogram(
    "sightglass_litellm_overhead_seconds", "LiteLLM's own part of a call, as it says.", "model", buckets=SECONDS
)
LITELLM_RETRIES: Final = _counter("sightglass_litellm_retries_total", "Attempts of LiteLLM's after the first.", "model")
LITELLM_FALLBACKS: Final = _counter(
    "sightglass_litellm_fallbacks_total", "Other model groups that LiteLLM turned to.", "model"
)
TOOL_CALLS: Final = _counter("sightglass_tool_calls_total", "Calls of tools in answers.", "model", "tool")
TOOL_CALLS_INVALID: Final = _counter(
    "sightglass_tool_calls_invalid_total",
    "Calls of tools that were not on offer, or whose arguments are no JSON or do not fit the schema on offer.",
    "model",
    "tool",
)
TOOLS_OFFERED: Final = _counter(
    "sightglass_tools_offered_total",
    "Times that a conversation began to offer the tool: once, and again when its offer changes.",
    "tool",
)
TOOL_ROUND_TRIP: Final = _histogram(
    "sightglass_tool_round_trip_seconds",
    "From the end of the answer that calls the tool to the request that brings its result.",
    "tool",
)
TOOL_ERRORS: Final = _counter("sightglass_tool_errors_total", "Results of tools that look like an error.", "tool")
REQUEST_BYTES: Final = _histogram("sightglass_request_bytes", "Body that the client sent.", "route", buckets=BYTES)
RESPONSE_BYTES: Final = _histogram(
    "sightglass_response_bytes", "Body that the client was handed.", "route", buckets=BYTES
)
LAST_SUCCESS: Final = _gauge(
    "sightglass_last_success_timestamp_seconds", "When the last call with outcome ok ended, Unix time.", "upstream"
)
OVERHEAD: Final = _histogram(
    "sightglass_relay_overhead_seconds",
    "Our own part of a call: neither client nor connecting nor upstream.",
    buckets=OVERHEAD_SECONDS,
)

# -- upstreams, as the watcher sees them ---------------------------------------------------------------------
UPSTREAM_UP: Final = _gauge(
    "sightglass_upstream_up", "1: the upstream answered the last probe. 0: it did not.", "upstream"
)
UPSTREAM_INFO: Final = _gauge(
    "sightglass_upstream_info", "Always 1; what answers at the upstream's address.", "upstream", "kind", "version"
)
UPSTREAM_LAST_LOOK: Final = _gauge(
    "sightglass_upstream_last_look_timestamp_seconds",
    "When the upstream was last asked how it is, Unix time.",
    "upstream",
)
MODELS_INSTALLED: Final = _gauge(
    "sightglass_models_installed", "Models that an Ollama has, at the last look that told.", "upstream"
)
MODEL_LOADED: Final = _gauge(
    "sightglass_model_loaded",
    "1: the model is in memory, at the last look. 0: it is installed only. `other`: how many of the rest are loaded.",
    "upstream",
    "model",
)
MODEL_VRAM: Final = _gauge(
    "sightglass_model_vram_bytes", "Memory of the GPU that a loaded model takes, as Ollama says.", "upstream", "model"
)
UPSTREAM_CHANGES: Final = _counter(
    "sightglass_upstream_changes_total",
    "Changes of models and versions at the upstreams, each an event in the ledger; see [events](events.md).",
    "upstream",
    "kind",
)
UPSTREAM_CHANGES_LEFT_OUT: Final = _counter(
    "sightglass_upstream_changes_left_out_total",
    "Changes that are no event, as one upstream had more than a thousand within the hour.",
)

# -- relays, from their counters -----------------------------------------------------------------------------
ACTIVE: Final = _gauge("sightglass_active_calls", "Calls under way.")
CLIENTS: Final = _gauge("sightglass_client_connections", "Open connections of clients.")
UPSTREAM_CONNECTIONS: Final = _gauge(
    "sightglass_upstream_connections",
    "Open connections to upstreams.",
    "state",
    known=_words(("busy", "idle")),
)
ACCEPTED: Final = _counter("sightglass_accepted_calls_total", "Calls that the relays took, ended or not.")
RETRIES: Final = _counter("sightglass_retries_total", "Requests sent again, as a kept connection proved dead.")
UNFRAMED: Final = _counter(
    "sightglass_unframed_requests_total", "Requests refused before they were a call: no valid HTTP."
)
FRAMES: Final = _counter(
    "sightglass_frames_total", "Frames that the relays put into the journal.", "kind", known=_words(FRAME_KINDS)
)
FRAMES_LOST: Final = _counter(
    "sightglass_frames_lost_total",
    "Frames that could not be kept: disk and memory for waiting were full.",
    "kind",
    known=_words(FRAME_KINDS),
)
BACKLOG_FRAMES: Final = _gauge("sightglass_journal_backlog_frames", "Frames waiting in memory for the disk.")
BACKLOG_BYTES: Final = _gauge("sightglass_journal_backlog_bytes", "Bytes of frames waiting in memory for the disk.")
WRITE_ERRORS: Final = _counter("sightglass_journal_write_errors_total", "Writes that the disk refused.")
WRITE_STALLS: Final = _counter("sightglass_journal_write_stalls_total", "Writes that took the disk too long.")

# -- observer ------------------------------------------------------------------------------------------------
LAG_BYTES: Final = _gauge("sightglass_journal_lag_bytes", "Bytes in the journal that are not in the ledger yet.")
LAG: Final = _gauge(
    "sightglass_journal_lag_seconds", "Age of the oldest ended call that is not in the ledger; 0 = none waits."
)
DAMAGED: Final = _counter("sightglass_damaged_frames_total", "Places in the journal that were no whole frame.")
LOST: Final = _counter(
    "sightglass_calls_lost_total",
    "Calls without a record: their frame was lost (journal), could not be read (unreadable), or their record could"
    " not be stored (ledger).",
    "cause",
    known=_words(("journal", "unreadable", "ledger")),
)
OBSERVER_ERRORS: Final = _counter(
    "sightglass_observer_errors_total", "Faults inside the observer, by part.", "part", known=_words(PARTS)
)
LEDGER_CALLS: Final = _counter("sightglass_ledger_calls_total", "Calls put into the ledger.")
LEDGER_COMMITS: Final = _counter("sightglass_ledger_commits_total", "Commits to the ledger.")
LEDGER_FAILURES: Final = _counter(
    "sightglass_ledger_commit_failures_total", "Attempts to open the ledger or to commit that failed and were repeated."
)
LAST_COMMIT: Final = _gauge("sightglass_ledger_last_commit_timestamp_seconds", "When it last took a commit, Unix time.")
LOG_LINES_LOST: Final = _counter(
    "sightglass_log_lines_lost_total", "Lines of the call log that standard output did not take."
)
OVERFLOW: Final = _counter(
    "sightglass_label_overflow_total",
    "Times that a model or a tool became `other`: too many names, or too many series.",
    "cap",
    known=_words(("models", "series", "tools")),
)
RESIDENT: Final = _gauge("sightglass_process_resident_memory_bytes", "Memory of each process.", "process")
SCRAPE: Final = _gauge("sightglass_scrape_duration_seconds", "What the scrape before this one took.")
BUILD_INFO: Final = _gauge("sightglass_build_info", "Always 1; what is running.", "version", "python")

FAMILIES: Final[tuple[Family, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Family))

UPSTREAM_LABELLED: Final = (LAST_SUCCESS, UPSTREAM_UP)  # begin at 0 for each upstream of the settings
