"""Counts of one text: right on plain ones, bounded on odd ones."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.quality.form import form_of


def test_counts_of_a_small_text():
    form = form_of("# Title\n\n- **One** thing, I think.\n- Two things, really.")

    assert form.words == 8
    assert form.marks == 5  # a heading, two items, two **
    assert form.commas == pytest.approx(2 / 8)
    assert form.first_person == pytest.approx(1 / 8)
    assert form.lines == 3
    assert not form.refusing
    assert not form.cut


def test_said_again_is_repeated():
    assert form_of("a b c d e f g h").repeated == 0.0
    assert form_of("yes we can " * 30).repeated > 0.9
    assert form_of("A fine start. " + "over and out " * 60).tail_repeated > 0.9


@pytest.mark.parametrize(
    "text",
    ["I'm sorry, but I can't help.", "As an AI language model, I …", "I cannot do that.", "I do not have access"],
)
def test_refusals_are_seen_at_the_begin(text):
    assert form_of(text).refusing
    assert not form_of("Here is the letter. " * 40 + text).refusing


def test_a_long_text_that_stops_inside_a_sentence_is_cut():
    whole = "The river runs slowly through the valley, and nobody asks it why it does so. " * 8

    assert not form_of(whole).cut
    assert form_of(whole[:-20]).cut
    assert not form_of(whole[:-20] + "\n```python\nprint(1)\n```\nlast words of it that have no end").cut


@pytest.mark.parametrize("text", ["", "   \n\t", "\x00\x01", "\ud800\udfff", "１２３", "。。。", "**" * 5000])
def test_odd_texts_have_a_form(text):
    form = form_of(text)

    assert 0.0 <= form.distinct <= 1.0
    assert 0.0 <= form.repeated <= 1.0


@given(st.text(max_size=400))
def test_any_text_has_shares_within_bounds(text):
    form = form_of(text)

    assert 0.0 <= form.distinct <= 1.0
    assert 0.0 <= form.repeated <= 1.0
    assert 0.0 <= form.tail_repeated <= 1.0
    assert form.first_person <= 1.0


def test_ten_megabytes_cost_what_three_thousand_characters_cost():
    text = "word " * 2_000_000
    begun = time.process_time()

    form = form_of(text)

    assert form.words == 600
    assert time.process_time() - begun < 1.0
