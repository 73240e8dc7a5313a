"""What the score reads of an answer: right on plain ones, bounded on odd ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.quality.answer import Answer
from proxy.observe.quality.form import Form, form_of
from proxy.observe.quality.signals import signals_of


def _form(text: str) -> Form:
    answer = Answer(response=text)
    return form_of(answer, signals_of(answer))


def test_counts_of_a_small_text():
    form = _form("# Title\n\n- **One** thing, I think.\n- Two things, really.")

    assert form.words == pytest.approx(8)
    assert form.marks == pytest.approx(5, abs=0.01)  # a heading, two items, two **
    assert form.commas == pytest.approx(2 / 8, abs=0.001)
    assert form.first_person == pytest.approx(1 / 8)
    assert form.lines == pytest.approx(3, abs=0.01)


def test_said_again_is_repeated():
    assert _form("one two three four five six seven").repeated == 0.0
    assert _form("yes we can " * 30).repeated > 0.9
    assert _form("A fine start. " + "over and out " * 60).tail_repeated > 0.9


@pytest.mark.parametrize("text", ["", "   \n\t", "\x00\x01", "\ud800\udfff", "１２３", "。。。", "**" * 5000])
def test_odd_texts_have_a_form(text):
    form = _form(text)

    assert 0.0 <= form.repeated <= 1.0


@given(st.text(max_size=400))
def test_any_text_has_shares_within_bounds(text):
    form = _form(text)

    assert 0.0 <= form.repeated <= 1.0
    assert 0.0 <= form.tail_repeated <= 1.0
    assert 0.0 <= form.first_person <= 1.0


def test_ten_megabytes_are_read_at_their_ends():
    form = _form("word " * 2_000_000)

    assert form.words == pytest.approx(600, abs=1)
