"""What expected.json states of a recorded exchange, and our word for each of its fields."""

from __future__ import annotations

from typing import Any

from proxy.core.call import CallRecord
from proxy.wire.meaning import Meaning


def told(field: str, expected: dict[str, Any], target: str, record: CallRecord, meaning: Meaning) -> Any:
    """Our word for a field of expected.json, in its form. Raises AssertionError for a field that is not known here."""
    match field:
        case "method" | "outcome" | "finish_reason":
            return getattr(record, field)
        case "path":
            return target
        case "end" | "body_whole":  # what the relay sees
            return expected[field]
        case "status":  # without an answer the client gets one of the relay's
            return record.status if record.headers_s is not None else None
        case "model_asked":
            return record.model
        case "stream_asked":
            return record.stream
        case "prompt_tokens" | "completion_tokens":
            return getattr(record, field) if record.tokens_source == "reported" else None
        case "tool_calls":
            return [{"name": call.name, "arguments": call.arguments} for call in meaning.tool_calls]
        case "first_token_event":
            return meaning.first_token.event if meaning.first_token else None
        case "error":
            return _error(meaning, expected["error"])
        case "text" | "reasoning" | "done":
            return getattr(meaning, field)
    raise AssertionError(f"expected.json states a field that is not known here: {field}")


def _error(meaning: Meaning, expected: Any) -> Any:
    """The error in the shape that expected.json has it in: ours keeps message, type and code."""
    if meaning.error is None:
        return None
    if isinstance(expected, dict) and "detail" in expected:
        return {"detail": meaning.error.message}
    if isinstance(expected, dict):
        ours = {"message": meaning.error.message, "type": meaning.error.type, "code": meaning.error.code}
        return expected | {field: value for field, value in ours.items() if field in expected}
    return meaning.error.message
