"""From a call to its row of signals: which calls have one, and that a score is among it."""

import random

import pytest
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.observe.quality.judging import TASK
from proxy.observe.quality.reference import LEARNED_FROM
from proxy.observe.quality.signalling import Signalling
from proxy.wire.meaning import Meaning

_RECORD = CallRecord(
    call_id="c", request_id="r", started_unix_ns=1, route="/v1/chat/completions", dialect="openai_chat", method="POST",
    outcome="ok", model="llama3.2", duration_s=1.0, completion_tokens=40, tokens_source="reported",
)  # fmt: skip
_MEANING = Meaning(dialect="openai_chat", text="The sky is blue, as the air scatters short waves more than long ones.")
_REQUEST = {"messages": [{"role": "user", "content": "Why is the sky blue?"}]}


def test_an_answer_has_a_row_with_its_score():
    signalling = Signalling()

    row = signalling.row(_RECORD, _MEANING, _REQUEST)

    assert row is not None
    assert row.quality is not None
    assert 0.0 < row.quality < 1.0
    assert signalling.known["latency"] == 1


@pytest.mark.parametrize(
    "changes", [{"claimed_task": TASK}, {"outcome": "incomplete"}, {"dialect": "other"}, {"model": None}]
)
def test_what_is_no_answer_of_the_model_to_its_users_has_none(changes):
    assert Signalling().row(replace(_RECORD, **changes), _MEANING, _REQUEST) is None


def test_what_was_to_be_kept_before_a_recall_is_learned_anew():
    signalling = Signalling()
    for number in range(LEARNED_FROM):
        signalling.row(replace(_RECORD, call_id=str(number)), _MEANING, _REQUEST)
    signalling.recall(Empty())
    signalling.row(_RECORD, _MEANING, _REQUEST)

    assert signalling.learned() == []


class Empty:
    """A ledger that knows nothing."""

    def references(self):
        return []


def test_what_was_not_scored_still_ran_beside_others():
    signalling = Signalling()
    other = replace(_RECORD, call_id="d", started_unix_ns=500_000_000)

    assert signalling.passed(_RECORD, _MEANING)  # ends at 1 s
    row = signalling.row(other, _MEANING, _REQUEST)

    assert row is not None
    assert row.in_flight == 1
    assert not signalling.passed(replace(_RECORD, outcome="incomplete"), _MEANING)
    assert signalling.known["latency"] == 1


def test_those_beside_are_counted_whatever_the_order_of_their_ends():
    """As by looking at each of the calls that ended before; those that ended long ago are forgotten."""
    chance, signalling, ends = random.Random(1), Signalling(), []

    for number in range(300):
        started_s, duration_s = number * 0.1, chance.choice((0.05, 0.5, 2.0))
        record = replace(_RECORD, started_unix_ns=round(started_s * 1e9), duration_s=duration_s)

        row = signalling.row(record, _MEANING, _REQUEST)

        assert row is not None
        assert row.in_flight == sum(end > record.started_unix_ns / 1e9 for end in ends)
        ends.append(record.started_unix_ns / 1e9 + duration_s)


def test_what_a_young_lane_learned_is_kept_as_it_goes():
    """Killed after 60 answers, it goes on learning from 50, and not from none: its baseline has begun."""
    signalling, ledger = Signalling(), Empty()
    for number in range(60):
        signalling.row(replace(_RECORD, call_id=str(number)), _MEANING, _REQUEST)
    [kept] = signalling.learned()
    assert signalling.learned() == []

    ledger.references = lambda: [kept]
    again = Signalling()
    again.recall(ledger)
    for number in range(LEARNED_FROM - 50):
        again.row(replace(_RECORD, call_id=f"again {number}"), _MEANING, _REQUEST)

    assert again._lanes[kept[0]].references.answers.texts == LEARNED_FROM
    assert again._lanes[kept[0]].references.answers.settled
