"""Every recorded exchange through one running Sightglass: the client's bytes, the meaning, the ledger's record."""

from __future__ import annotations

from itertools import accumulate

import msgspec
import pytest

from proxy.observe.reading import read_call
from proxy.standin import replay
from proxy.wire.routes import match
from tests.e2e.recorded import SPEED, Passed, Row, pass_all
from tests.relay.conftest import WIRE
from tests.relay.replaying import asked_without_usage, body_of, heads
from tests.wire.expecting import told
from tests.wire.recordings import load, names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

REFUSED = [name for name in names() if name.endswith("/host-refused")]
PASSED = [name for name in names() if name not in REFUSED]
# What of a record is not read from the bytes: what the watcher knows, prices, callers, conversations, tools.
_ADDED = (
    "model_",
    "cold_start",
    "cost_",
    "shadow_",
    "client_",
    "claimed_",
    "conversation_",
    "tools_",
    "tool_",
    "signals",
)
_READ_ALL_THE_SAME = ("model_answered", "tool_calls")


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Passed]:
    return pass_all(tmp_path_factory.mktemp("recorded"))


def test_the_two_refused_and_the_327_others_are_all() -> None:
    assert (len(REFUSED), len(PASSED)) == (2, 327)
    assert sorted(REFUSED + PASSED) == sorted(replay.names(WIRE))


@pytest.mark.parametrize("name", PASSED)
def test_a_recorded_exchange(passed: dict[str, Passed], name: str) -> None:
    seen, expected, target = passed[name], load(name).expected, load(name).target
    record, meaning = read_call(seen.exchange)

    _assert_received(seen)
    assert {field: told(field, expected, target, record, meaning) for field in expected} == expected
    assert _kept(seen.row, expected, target) == _kept_as_expected(expected)
    for field, value in msgspec.structs.asdict(record).items():
        if not field.startswith(_ADDED) or field in _READ_ALL_THE_SAME:
            assert (field, seen.row.get(field, ())) == (field, value or None if field == "observer_errors" else value)
    _assert_timed(seen)


@pytest.mark.parametrize("name", REFUSED)
def test_a_foreign_host_is_refused_by_our_own_rule(passed: dict[str, Passed], name: str) -> None:
    """Ollama's answer to it is a 403, too; it is not asked."""
    seen = passed[name]
    assert seen.answer is not None
    assert (seen.answer.status, seen.answer.error["code"]) == (load(name).expected["status"], "host_refused")
    assert (seen.row["status"], seen.row["outcome"], seen.row["error_type"]) == (403, "refused", "host_refused")
    assert (seen.row["attempts"], seen.exchange.answer_body) == (0, b"")


def _assert_received(seen: Passed) -> None:
    recording, answer = seen.recording, seen.answer
    if recording.response:
        assert answer is not None
        expected_head, got_head = heads(recording, answer)
        assert got_head == expected_head
        assert answer.body == body_of(recording)
    elif recording.end == "closed by server":
        assert answer is not None
        assert (answer.status, answer.error["code"]) == (502, "upstream_closed")
    else:
        assert answer is None
    assert seen.exchange.finished.injected == asked_without_usage(recording)


def _kept(row: Row, expected: Row, target: str) -> Row:
    """What the ledger's row says of the fields that expected.json states."""
    assert row["route"] == match(target).template
    kept = {name: row[name] for name in ("method", "outcome", "finish_reason") if name in expected}
    kept["status"] = row["status"] if row["headers_s"] is not None else None
    if "model_asked" in expected:
        kept |= {"model_asked": row["model"], "stream_asked": None if row["stream"] is None else bool(row["stream"])}
    if "prompt_tokens" in expected:
        reported = row["tokens_source"] == "reported"
        kept |= {name: row[name] if reported else None for name in ("prompt_tokens", "completion_tokens")}
        kept["a first token"] = row["first_token_s"] is not None
        kept["calls"] = row["tool_calls"] or 0
    return kept


def _kept_as_expected(expected: Row) -> Row:
    fields = ("method", "outcome", "finish_reason", "status", "model_asked", "stream_asked")
    wanted = {name: expected[name] for name in fields if name in expected}
    if "prompt_tokens" in expected:
        wanted |= {name: expected[name] for name in ("prompt_tokens", "completion_tokens")}
        wanted |= {"a first token": expected["first_token_event"] is not None, "calls": len(expected["tool_calls"])}
    return wanted


def _assert_timed(seen: Passed) -> None:
    """The first token came when its piece was sent: not before that, and not after the client was done."""
    _, meaning = read_call(seen.exchange)
    asked_s, ended_s = seen.times_s
    if meaning.first_token is None:
        return
    recording = load(seen.recording.name)
    ends = list(accumulate(size for _, size in recording.pieces))
    sent_s = next(time for (time, _), end in zip(recording.pieces, ends, strict=True) if end >= meaning.first_token.end)
    assert sent_s / SPEED - 0.005 < seen.row["first_token_s"] < ended_s - asked_s + 0.001
