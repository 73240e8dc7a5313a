"""How fast a model generated."""

from __future__ import annotations

from proxy.core.call import CallRecord


def tokens_per_second(record: CallRecord) -> float | None:
    """Tokens a second while it generated; None = not known.

    Ollama's own durations where they are told; else, of a stream that came in pieces, the tokens after the first by the
    time from the first to the end. Tokens that were estimated from the text give no speed.
    """
    tokens = record.completion_tokens
    if tokens is None or record.tokens_source not in ("reported", "counted"):
        return None
    if record.generation_s:
        return tokens / record.generation_s
    if record.first_token_s is None or record.duration_s is None or record.piece_gap_p50_s is None or tokens < 2:
        return None
    took_s = record.duration_s - record.first_token_s
    return (tokens - 1) / took_s if took_s > 0 else None
