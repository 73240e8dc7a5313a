"""Every name that our spans use. The one place for them, as all of GenAI's are still in development.

GenAI, HTTP, server, client, error, user: semantic conventions 1.41.1. What has no name there begins with `sightglass.`.
"""

from __future__ import annotations

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.1"
SCOPE: Final = "sightglass"

# -- GenAI: the call -----------------------------------------------------------------------------------------
OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
CONVERSATION: Final = "gen_ai.conversation.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"

REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_CHOICES: Final = "gen_ai.request.choice.count"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_STOP: Final = "gen_ai.request.stop_sequences"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_ENCODINGS: Final = "gen_ai.request.encoding_formats"
EMBEDDING_DIMENSIONS: Final = "gen_ai.embeddings.dimension.count"

RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH: Final = "gen_ai.response.finish_reasons"
RESPONSE_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"

TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name; of metrics

# -- GenAI: content, by opt-in only --------------------------------------------------------------------------
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"

# -- HTTP and what is common ---------------------------------------------------------------------------------
METHOD: Final = "http.request.method"
METHOD_ORIGINAL: Final = "http.request.method_original"
RESENDS: Final = "http.request.resend_count"
STATUS: Final = "http.response.status_code"
ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
URL_FULL: Final = "url.full"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
USER_AGENT: Final = "user_agent.original"
ERROR_TYPE: Final = "error.type"
USER: Final = "user.id"

# -- ours ----------------------------------------------------------------------------------------------------
CALL_ID: Final = "sightglass.call_id"
REQUEST_ID: Final = "sightglass.request_id"
OUTCOME: Final = "sightglass.outcome"
UPSTREAM: Final = "sightglass.upstream"
UPSTREAM_KIND: Final = "sightglass.upstream_kind"
OVERHEAD: Final = "sightglass.overhead_s"
TEAM: Final = "sightglass.team"
PROJECT: Final = "sightglass.project"
TASK: Final = "sightglass.task"
TOKENS_SOURCE: Final = "sightglass.tokens_source"
COST: Final = "sightglass.cost_usd"
COST_SOURCE: Final = "sightglass.cost_source"
COST_ORIGIN: Final = "sightglass.cost_origin"
MODEL_DIGEST: Final = "sightglass.model_digest"
QUANTIZATION: Final = "sightglass.model_quantization"
COLD_START: Final = "sightglass.cold_start"
QUEUE: Final = "sightglass.queue_s"
LOAD: Final = "sightglass.load_s"
PROMPT_EVAL: Final = "sightglass.prompt_eval_s"
GENERATION: Final = "sightglass.generation_s"
FIRST_TOKEN: Final = "sightglass.first_token_s"  # noqa: S105 - a name
FIRST_ANSWER_TOKEN: Final = "sightglass.first_answer_token_s"  # noqa: S105 - a name
TOOL_CALLS: Final = "sightglass.tool_calls"
LITELLM_CALL_ID: Final = "sightglass.litellm_call_id"
DRIFT_EVENT_ID: Final = "sightglass.drift.event_id"
DRIFT_KIND: Final = "sightglass.drift.kind"
DRIFT_SUBJECT: Final = "sightglass.drift.subject"
DRIFT_SEVERITY: Final = "sightglass.drift.severity"
DRIFT_SINCE: Final = "sightglass.drift.since_call_id"
DRIFT_BEFORE: Final = "sightglass.drift.before"
DRIFT_AFTER: Final = "sightglass.drift.after"
CONTENT_CUT: Final = "sightglass.content_cut"

# Methods that HTTP defines; others are `_OTHER`, so that names of spans stay few.
METHODS: Final = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"})
OTHER: Final = "_OTHER"
