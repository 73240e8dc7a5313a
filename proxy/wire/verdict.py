"""Outcome and error words of a call: what the relay saw of its end, together with what the bytes mean. Pure.

relay's ending      meaning                                        outcome
refused             -                                              refused
proxy_failed        -                                              proxy_error
timeout             -                                              timeout
client_left         end mark seen: SDKs close right behind it      ok
                    else                                           client_gone
upstream_failed     no byte of an answer, status >= 400, an error  upstream_error
                    end mark seen                                  ok
                    else: it broke off in mid-answer               incomplete
complete            429, 5xx, or an error in the answer            upstream_error
                    other 4xx                                      rejected
                    2xx of a generating dialect, no finish reason
                    and no end mark, although it could be read     incomplete
                    else                                           ok
"""

from __future__ import annotations

import msgspec

from proxy.core.exchange import Finished
from proxy.core.outcomes import Outcome
from proxy.wire.answers import READERS
from proxy.wire.errors import word_of_error, word_of_status
from proxy.wire.foreign import one_line
from proxy.wire.meaning import Meaning
from proxy.wire.striking import strike

MESSAGE_CHARACTERS = 500


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How the call ended. `error_type` is one of errors.ErrorType or a code of the relay; None when it went well."""

    outcome: Outcome
    error_type: str | None = None
    error_message: str | None = None  # one line, at most MESSAGE_CHARACTERS


def judge(finished: Finished, meaning: Meaning) -> Verdict:
    """The verdict on a call."""
    match finished.ending:
        case "refused":
            return _ours(finished, "refused", "refused")
        case "proxy_failed":
            return _ours(finished, "proxy_error", "proxy_failed")
        case "timeout":
            return _ours(finished, "timeout", "upstream_timeout")
        case "stopped":
            return _ours(finished, "interrupted", "stopped")
        case "client_left":
            return _left(finished, meaning)
        case "upstream_failed":
            return _broken(finished, meaning)
        case _:
            return _complete(finished, meaning)


def _left(finished: Finished, meaning: Meaning) -> Verdict:
    if meaning.error is not None and _status(finished) < 400:
        return _failed_inside(meaning)
    if meaning.done:
        return Verdict(outcome="ok")
    return Verdict(outcome="client_gone", error_type=finished.error_code, error_message=_line(finished.error_message))


def _broken(finished: Finished, meaning: Meaning) -> Verdict:
    answered = finished.upstream_status is not None and finished.response_bytes > 0
    if not answered or _status(finished) >= 400:
        return _ours(finished, "upstream_error", "stream_broken")
    if meaning.error is not None:
        return _failed_inside(meaning)
    if meaning.done:
        return Verdict(outcome="ok")
    return _ours(finished, "incomplete", "stream_broken")


def _complete(finished: Finished, meaning: Meaning) -> Verdict:
    status = _status(finished)
    if status >= 400:
        outcome: Outcome = "upstream_error" if status == 429 or status >= 500 else "rejected"
        message = meaning.error.message if meaning.error is not None else None
        return Verdict(outcome=outcome, error_type=word_of_status(status), error_message=_line(message))
    if meaning.error is not None:
        return _failed_inside(meaning)
    if _lacks_end(status, meaning):
        return Verdict(outcome="incomplete", error_type="no_end_mark")
    return Verdict(outcome="ok")


def _lacks_end(status: int, meaning: Meaning) -> bool:
    """Whether a whole answer would have told its end. What could not be read gets the benefit of the doubt."""
    reader = READERS.get(meaning.dialect)
    if reader is None or not reader.generates or not 200 <= status < 300:
        return False
    if meaning.unread in ("coding", "bound", "damaged") or (meaning.unread == "cut" and not meaning.streamed):
        return False
    return meaning.finish_reason is None and not meaning.done


def _failed_inside(meaning: Meaning) -> Verdict:
    assert meaning.error is not None
    return Verdict(
        outcome="upstream_error",
        error_type=word_of_error(meaning.error),
        error_message=_line(meaning.error.message),
    )


def _ours(finished: Finished, outcome: Outcome, otherwise: str) -> Verdict:
    return Verdict(
        outcome=outcome,
        error_type=finished.error_code or otherwise,
        error_message=_line(finished.error_message),
    )


def _status(finished: Finished) -> int:
    """The upstream's status; 0 = none."""
    return finished.upstream_status or finished.status or 0


def _line(message: str | None) -> str | None:
    return None if message is None else strike(one_line(message, MESSAGE_CHARACTERS)) or None
