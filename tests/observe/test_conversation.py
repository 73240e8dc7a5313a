"""Which call goes on from which: echoes, branches, retries, collisions, bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.observe.conversation import Conversations, Who, _one, _under
from proxy.observe.fingerprints import Fingerprints, Kept, kept_from, key_of
from proxy.wire.meaning import Meaning
from proxy.wire.transcript import Line, Transcript
from tests.observe.desk import Desk, calling, gave, said, user

HI, HELLO, MORE = user("hi"), said("Hello."), user("more")


def places(*records: Any) -> list[tuple[str, int]]:
    """Conversations by letter in the order they came, and turns."""
    letters: dict[str, str] = {}
    return [
        (letters.setdefault(record.conversation_id, chr(ord("a") + len(letters))), record.conversation_turn)
        for record in records
    ]


def test_a_line_of_calls_is_a_conversation_named_by_its_first() -> None:
    desk = Desk()

    first = desk.call([HI], HELLO)
    second = desk.call([HI, HELLO, MORE], said("Yes?"))
    third = desk.call([HI, HELLO, MORE, said("Yes?"), user("no")], said("Bye."))

    assert places(first, second, third) == [("a", 1), ("a", 2), ("a", 3)]
    assert first.conversation_id == first.call_id


@pytest.mark.parametrize(
    "echo",
    [
        [said("Hello. ")],
        [{"role": "assistant", "content": [{"type": "text", "text": "Hello."}]}],
        [{"role": "assistant", "content": "Hello.", "refusal": None, "tool_calls": None, "annotations": []}],
        [{"role": "assistant", "content": "Hello.", "reasoning": "I greet."}],
        [said("Hel"), said("lo.")],
    ],
)
def test_an_answer_may_come_back_in_another_form(echo: list[Any]) -> None:
    desk = Desk()

    assert places(desk.call([HI], HELLO), desk.call([HI, *echo, MORE], HELLO)) == [("a", 1), ("a", 2)]


@pytest.mark.parametrize("content", [None, ""])
@pytest.mark.parametrize("arguments", ['{"days": 2.0, "city":"Paris"}', {"city": "Paris", "days": 2}])
def test_calls_of_tools_may_come_back_in_another_form(content: str | None, arguments: Any) -> None:
    desk = Desk()
    call = calling("weather", {"city": "Paris", "days": 2})

    first = desk.call([HI], said(None, call))
    second = desk.call([HI, said(content, calling("weather", arguments, "toolu_7")), gave("rain", "toolu_7")], HELLO)

    assert places(first, second) == [("a", 1), ("a", 2)]


def test_system_prompts_may_change() -> None:
    desk = Desk()
    monday, tuesday = ({"role": "system", "content": f"Today is {day}."} for day in ("Monday", "Tuesday"))

    first = desk.call([monday, HI], HELLO)

    assert places(first, desk.call([tuesday, HI, HELLO, MORE], HELLO)) == [("a", 1), ("a", 2)]


def test_the_same_beginning_with_other_answers_stays_apart() -> None:
    desk = Desk()

    one, other = desk.call([HI], said("Hello.")), desk.call([HI], said("Good day."))
    one_2 = desk.call([HI, said("Hello."), MORE], said("What?"))
    other_2 = desk.call([HI, said("Good day."), MORE], said("What?"))
    other_3 = desk.call([HI, said("Good day."), MORE, said("What?"), HI], HELLO)

    assert places(one, other, one_2, other_2, other_3) == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("b", 3)]


def test_equal_beginnings_are_told_apart_by_system_prompt_or_address() -> None:
    desk = Desk()
    cook, poet = ({"role": "system", "content": f"You are a {what}."} for what in ("cook", "poet"))

    first = [desk.call([cook, HI], HELLO), desk.call([poet, HI], HELLO), desk.call([HI], HELLO, client="10.0.0.9")]
    second = [desk.call([cook, HI, HELLO, MORE], HELLO), desk.call([poet, HI, HELLO, MORE], HELLO)]
    third = desk.call([HI, HELLO, MORE], HELLO, client="10.0.0.9")

    assert places(*first, *second, third) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("c", 2)]


def test_wholly_equal_ones_may_swap_but_do_not_become_one() -> None:
    desk = Desk()

    records = [desk.call([HI], HELLO), desk.call([HI], HELLO)]
    records += [desk.call([HI, HELLO, user(word)], HELLO) for word in ("one", "two")]

    assert sorted(places(*records)) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_claims_that_differ_keep_conversations_apart() -> None:
    desk = Desk()

    first = desk.call([HI], HELLO, user="ann")

    assert places(first, desk.call([HI, HELLO, MORE], HELLO, user="bob")) == [("a", 1), ("b", 1)]


def test_a_repeated_first_question_is_a_new_conversation_unless_there_was_no_answer() -> None:
    desk = Desk()

    failed, again = desk.call([HI], None), desk.call([HI], HELLO)
    anew = desk.call([HI], said("Well?"))
    on = desk.call([HI, HELLO, MORE], HELLO)

    assert places(failed, again, anew, on) == [("a", 1), ("a", 1), ("b", 1), ("a", 2)]


def test_an_edited_message_is_a_branch() -> None:
    desk = Desk()
    first, second = desk.call([HI], HELLO), desk.call([HI, HELLO, MORE], HELLO)

    edited = desk.call([HI, HELLO, user("something else")], HELLO)

    assert places(first, second, edited) == [("a", 1), ("a", 2), ("a", 2)]


def test_an_answer_that_the_client_rewrote_is_found_for_the_same_client_only() -> None:
    desk = Desk()
    first = desk.call([HI], said("Hello, and much more than that."))

    other = desk.call([HI, said("Hello..."), MORE], HELLO, client="10.0.0.2")
    second = desk.call([HI, said("Hello..."), MORE], HELLO)

    assert places(first, other, second) == [("a", 1), ("b", 1), ("a", 2)]


def test_words_put_into_the_models_mouth_are_the_begin_of_its_answer() -> None:
    desk = Desk()

    first = desk.call([HI, said("{")], said('"a": 1}'))
    second = desk.call([HI, said('{"a": 1}'), MORE], HELLO)
    again = desk.call([HI, said("{")], said('"b": 1}'))

    assert places(first, second, again) == [("a", 1), ("a", 2), ("b", 1)]


def test_pictures_are_part_of_what_was_said_and_cache_marks_are_not() -> None:
    desk = Desk()

    def picture(url: str) -> Any:
        return user([{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": url}}])

    marked = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
    records = [desk.call([picture("data:a")], HELLO), desk.call([picture("data:b")], HELLO, client="10.0.0.2")]
    records += [desk.call([picture("data:b"), HELLO, MORE], HELLO), desk.call([user(marked)], said("Hm."))]
    records += [desk.call([HI, said("Hm."), MORE], HELLO)]

    assert places(*records) == [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("c", 2)]


def test_a_call_read_twice_stays_where_it_was() -> None:
    desk = Desk()
    desk.call([HI], HELLO, call_id="first")
    once = desk.call([HI, HELLO, MORE], HELLO, call_id="second")

    twice = desk.call([HI, HELLO, MORE], HELLO, call_id="second")

    assert (twice.conversation_id, twice.conversation_turn) == (once.conversation_id, once.conversation_turn)


def test_memory_is_bounded() -> None:
    fingerprints, conversations = Fingerprints(b"key"), Conversations(calls=100)
    for number in range(1000):
        transcript = Transcript(lines=(Line("user", "hi"), Line("user", str(number % 700))))
        fingerprint = fingerprints.of(transcript, Meaning(dialect="openai_chat", text="x" * (number % 3)), tools=b"")
        place = conversations.place(f"call-{number}", fingerprint, Who("a"))
        assert place.turn >= 1

    assert len(conversations) <= 125
    for index in (conversations._by_answered, conversations._by_asked):
        assert sum(len(_under(index, key)) for key in index) <= 125


def test_the_oldest_are_forgotten_first_and_few_at_a_time() -> None:
    fingerprints, conversations = Fingerprints(b"key"), Conversations(calls=64)

    for number in range(200):
        transcript = Transcript(lines=(Line("user", str(number)),))
        fingerprint = fingerprints.of(transcript, Meaning(dialect="openai_chat", text="yes"), tools=b"")
        conversations.place(f"call-{number}", fingerprint, Who("a"))

        known = [int(call_id.partition("-")[2]) for call_id in conversations._leaves]
        assert known == list(range(known[0], number + 1))
        assert number < 64 or 60 <= len(known) <= 64
    assert len({id(turn.who) for turn in conversations._leaves.values()}) == 1


def test_callers_and_frames_that_are_remembered_are_bounded() -> None:
    known: dict[int, int] = {}

    for number in range(10_000):
        assert _one(known, number) == number

    assert len(known) <= 4096


def test_what_is_kept_is_read_back_and_nothing_else() -> None:
    for kept in (Kept(b"a" * 8, None, b"f" * 8, None), Kept(b"a" * 8, b"b" * 8, b"f" * 8, b"r" * 8)):
        assert kept_from(kept.text()) == kept
    for foreign in ("", "abc", "%%%", "a" * 31, "ü" * 32, "a" * 400):
        assert kept_from(foreign) is None


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    key = key_of(tmp_path)

    assert key == key_of(tmp_path)
    assert len(key) == 32
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600


def test_another_key_makes_other_hashes() -> None:
    transcript, meaning = Transcript(lines=(Line("user", "hi"),)), Meaning(dialect="openai_chat", text="Hello.")

    hashes = {Fingerprints(key).of(transcript, meaning, tools=b"").kept().text() for key in (b"a", b"b")}

    assert len(hashes) == 2
