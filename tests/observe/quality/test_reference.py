"""What a route's first answers look like: figures of later texts against plain counting."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest

from proxy.observe.quality.reference import LEARNED_FROM, Reference

_TEXT = "the of river and stone light under a house we see how to build what grows in summer rain"


def _text(seed: int, words: int = 120) -> bytes:
    dice = random.Random(seed)
    return " ".join(dice.choices(_TEXT.split(), k=words)).encode()


def _learned(**options: bool) -> Reference:
    made = Reference(**options)
    for seed in range(LEARNED_FROM):
        made.learn(_text(seed))
    return made


def test_nothing_is_told_before_enough_was_learned() -> None:
    young = Reference()
    young.learn(_text(1))

    assert not young.settled
    assert all(map(math.isnan, young.strangeness(_text(2))))


def test_nothing_is_told_of_a_few_bytes() -> None:
    assert all(map(math.isnan, _learned().strangeness(b"short")))


@pytest.mark.parametrize("data", [_text(999), b"zq" * 60, bytes(range(256)), _text(5) + "Übel, größer".encode()])
def test_figures_are_those_of_plain_counting(data: bytes) -> None:
    texts = [_text(seed) for seed in range(LEARNED_FROM)]
    counts = Counter(text[at : at + 3] for text in texts for at in range(len(text) - 2))
    total = counts.total() + (1 << 13)  # one for each hash
    seen = {text[at : at + 6] for text in texts for at in range(len(text) - 5)}
    triples = [data[at : at + 3] for at in range(len(data) - 2)]
    grams = [data[at : at + 6] for at in range(len(data) - 5)]
    surprise = sum(math.log(total / (counts[triple] + 1)) for triple in triples) / len(triples)
    unseen = sum(gram not in seen for gram in grams) / len(grams)

    found, found_unseen = _learned().strangeness(data)

    assert surprise == pytest.approx(found, rel=0.05)  # hashes collide now and then
    assert unseen == pytest.approx(found_unseen, abs=0.05)


def test_a_settled_one_learns_no_more() -> None:
    made = _learned()
    before = made.dump()

    made.learn(b"something that it never saw")

    assert before == made.dump()


@pytest.mark.parametrize("grams", [True, False])
def test_it_comes_back_from_its_dump(*, grams: bool) -> None:
    made = _learned(grams=grams)

    again = Reference.load(made.dump(), grams=grams)

    assert again.settled
    assert made.strangeness(_text(7))[0] == again.strangeness(_text(7))[0]
    assert math.isnan(again.strangeness(_text(7))[1]) != grams


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(ValueError, match="has 65540 bytes, this 12"):
        Reference.load(b"not of these")
    with pytest.raises(ValueError, match="has 32772 bytes"):
        Reference.load(_learned().dump(), grams=False)
