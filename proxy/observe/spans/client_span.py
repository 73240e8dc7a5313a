"""The CLIENT span: our call of the upstream, as GenAI and HTTP name its parts. Pure."""

from __future__ import annotations

from typing import Final

from proxy.core.call import CallRecord
from proxy.core.exchange import Finished
from proxy.core.upstreams import ResolvedUpstream
from proxy.observe.observed import Observed
from proxy.observe.spans import names as n
from proxy.observe.spans.encoding import Attributes
from proxy.observe.spans.parameters import conversation_named, put_embedding, put_parameters

OPERATIONS: Final = {
    "openai_chat": "chat",
    "openai_responses": "chat",
    "anthropic_messages": "chat",
    "ollama_chat": "chat",
    "openai_completions": "text_completion",
    "ollama_generate": "text_completion",
    "openai_embeddings": "embeddings",
    "ollama_embed": "embeddings",
    "ollama_embeddings": "embeddings",
}
_CHARACTERS: Final = 512  # longest name of a model; the longest seen is 90
# Ends of the relay that are no failure of the upstream's: who broke off was our side.
_OUR_END: Final = ("client_left", "stopped", "proxy_failed")


def name_of(record: CallRecord) -> str:
    """`chat llama3.2`; without a model the operation alone; of what is no inference, the method."""
    operation = OPERATIONS.get(record.dialect)
    if operation is None:
        return record.method if record.method in n.METHODS else "HTTP"
    return operation if record.model is None else f"{operation} {record.model[:_CHARACTERS]}"


def common_attributes(
    record: CallRecord, finished: Finished, upstream: ResolvedUpstream | None, provider: str
) -> Attributes:
    """What all attempts of a call share."""
    attributes: Attributes = {}
    operation = OPERATIONS.get(record.dialect)
    if operation is not None:
        attributes[n.OPERATION] = operation
        attributes[n.PROVIDER] = provider
        if record.model is not None:
            attributes[n.REQUEST_MODEL] = record.model[:_CHARACTERS]
        if record.stream and operation != "embeddings":
            attributes[n.REQUEST_STREAM] = True
    attributes[n.METHOD] = record.method if record.method in n.METHODS else n.OTHER
    if upstream is not None:
        attributes[n.SERVER_ADDRESS] = upstream.host
        attributes[n.SERVER_PORT] = upstream.port
        # Without the query: clients put keys there.
        attributes[n.URL_FULL] = f"{upstream.url}{finished.target.partition('?')[0]}"[:2048]
    attributes[n.CALL_ID] = record.call_id
    return attributes


def final_attributes(observed: Observed, finished: Finished, common: Attributes) -> Attributes:
    """All of the attempt that counts."""
    record, meaning, request = observed.record, observed.meaning, observed.request
    attributes: Attributes = {
        **common,
        n.STATUS: finished.upstream_status,
        n.UPSTREAM: record.upstream,
        n.OUTCOME: record.outcome,
        n.ERROR_TYPE: error_type(record, finished) if failed(record, finished) else None,
        n.USER: record.claimed_user,
    }
    if finished.repeated:
        attributes[n.RESENDS] = len(finished.repeated)
    if record.dialect not in OPERATIONS:
        return attributes
    if request is not None:
        if common[n.OPERATION] == "embeddings":
            put_embedding(attributes, request)
        else:
            put_parameters(attributes, request)
        attributes[n.CONVERSATION] = record.claimed_session or conversation_named(request)
    if meaning is not None:
        attributes[n.RESPONSE_ID] = meaning.response_id and meaning.response_id[:_CHARACTERS]
        attributes[n.CACHE_CREATION_TOKENS] = meaning.tokens.cache_write
    _put_answer(attributes, record, finished)
    return attributes


def failed(record: CallRecord, finished: Finished) -> bool:
    """Whether the upstream failed us: 4xx and 5xx, no answer, a broken or unfinished one. A client that left, and we
    ourselves, are no failure of its."""
    if finished.ending in _OUR_END:
        return False
    if finished.upstream_status is not None and finished.upstream_status >= 400:
        return True
    return record.outcome in ("upstream_error", "timeout", "incomplete")


def error_type(record: CallRecord, finished: Finished) -> str:
    """The closed word of the record, else the status, else `_OTHER`."""
    if record.error_type is not None:
        return record.error_type
    status = finished.upstream_status
    return str(status) if status is not None and status >= 400 else n.OTHER


def _put_answer(attributes: Attributes, record: CallRecord, finished: Finished) -> None:
    """What came back, what it cost and how long its parts took."""
    if record.model_answered is not None:
        attributes[n.RESPONSE_MODEL] = record.model_answered[:_CHARACTERS]
    if record.finish_reason is not None:
        attributes[n.RESPONSE_FINISH] = (record.finish_reason,)
    if record.stream and record.first_byte_s is not None and finished.attempt_s is not None:
        attributes[n.RESPONSE_FIRST_CHUNK] = max(record.first_byte_s - finished.attempt_s, 0.0)
    if record.tokens_source != "missing":
        attributes[n.INPUT_TOKENS] = record.prompt_tokens
        attributes[n.OUTPUT_TOKENS] = record.completion_tokens
        attributes[n.CACHE_READ_TOKENS] = record.cached_tokens
        attributes[n.REASONING_TOKENS] = record.reasoning_tokens
    attributes[n.TOKENS_SOURCE] = record.tokens_source
    attributes[n.COST_SOURCE] = record.cost_source
    if record.cost_nanousd is not None:
        attributes[n.COST] = record.cost_nanousd / 1e9
        attributes[n.COST_ORIGIN] = record.cost_origin
    attributes[n.MODEL_DIGEST] = record.model_digest
    attributes[n.QUANTIZATION] = record.model_quantization
    attributes[n.COLD_START] = record.cold_start
    attributes[n.QUEUE] = record.queue_s
    attributes[n.LOAD] = record.load_s
    attributes[n.PROMPT_EVAL] = record.prompt_eval_s
    attributes[n.GENERATION] = record.generation_s
    attributes[n.FIRST_TOKEN] = record.first_token_s
    attributes[n.FIRST_ANSWER_TOKEN] = record.first_answer_token_s
    attributes[n.TOOL_CALLS] = record.tool_calls or None
    attributes[n.LITELLM_CALL_ID] = record.litellm_call_id
