"""From a call to its row of signals: which calls have one, and that a score is among it."""

import pytest
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.observe.quality.judging import TASK
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
