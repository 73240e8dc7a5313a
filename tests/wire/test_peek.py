"""What is read of a request body: whole and in pieces, right and wrong, and never slowly."""

from __future__ import annotations

import itertools
import json
import time
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.peek import peek
from proxy.wire.peeked import Options, Peek
from proxy.wire.peeker import Peeker

FEED_BYTES = 65_536

unhurried = settings(deadline=None)  # the cores are shared


def peek_in(pieces: list[bytes]) -> Peek:
    peeker = Peeker()
    for piece in pieces:
        peeker.feed(piece)
    return peeker.result()


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(body) + 1) for place in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(places)]


# Documents as text, so that white space, escapes and duplicates are ours to choose.

spaces = st.text(" \t\r\n", max_size=2)
names = st.one_of(
    st.sampled_from(["model", "stream", "stream_options", "include_usage", "messages", ""]), st.text(max_size=5)
)


@st.composite
def strings(draw: st.DrawFn, texts: st.SearchStrategy[str] = st.text(max_size=12)) -> str:  # noqa: B008 - a strategy
    def spelled(char: str) -> str:
        plain = json.dumps(char, ensure_ascii=draw(st.booleans()))[1:-1]
        return f"\\u{ord(char):04x}" if ord(char) < 0x80 and draw(st.integers(0, 9)) == 0 else plain

    return '"' + "".join(spelled(char) for char in draw(texts)) + '"'


numbers = st.one_of(st.integers().map(str), st.sampled_from(["-0", "1e9", "2.5E-3", "0", "1" * 40]))
scalars = st.one_of(st.sampled_from(["true", "false", "null"]), numbers, strings())


def joined(draw: st.DrawFn, items: list[str], brackets: str) -> str:
    separated = "".join(draw(spaces) + item + draw(spaces) + "," for item in items)[:-1]
    return brackets[0] + draw(spaces) + separated + brackets[1]


@st.composite
def lists(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    return joined(draw, draw(st.lists(values, max_size=4)), "[]")


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(strings(names), spaces, spaces, values), max_size=6))
    return joined(draw, [f"{name}{a}:{b}{value}" for name, a, b, value in members], "{}")


values = st.recursive(scalars, lambda inner: st.one_of(lists(inner), objects(inner)), max_leaves=12)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    telling = st.one_of(values, st.sampled_from(["true", "false", '"m"', "null", "{}", '{"include_usage":false}']))
    text = draw(spaces) + draw(objects(telling)) + draw(spaces)
    return text.encode("utf-8", "surrogatepass")


@unhurried
@given(documents(), st.lists(st.integers(0, 10_000), max_size=6))
def test_peeker_agrees_with_peek_whatever_the_cuts(body: bytes, cuts: list[int]) -> None:
    expected = peek(body)

    assert expected.valid
    assert peek_in(cut(body, cuts)) == expected
    assert peek_in([body[i : i + 1] for i in range(len(body))]) == expected


@unhurried
@given(documents())
def test_peek_agrees_with_json_loads(body: bytes) -> None:
    said: dict[str, Any] = json.loads(body)

    seen = peek(body)

    model, stream = said.get("model"), said.get("stream")
    assert (model if isinstance(model, str) else None) == seen.model
    assert (stream if isinstance(stream, bool) else None) == seen.stream
    if seen.stream:
        assert options_of(said) == seen.options


def options_of(said: dict[str, Any]) -> Options:
    """The state of `stream_options`, read the slow way."""
    if "stream_options" not in said:
        return "absent"
    options = said["stream_options"]
    if options is None:
        return "null"
    if not isinstance(options, dict):
        return "foreign"
    return "said" if "include_usage" in options else "open" if options else "empty"


@unhurried
@given(documents())
def test_span_of_options_is_their_value(body: bytes) -> None:
    seen = peek(body)

    if seen.options in ("null", "empty", "open"):
        assert json.loads(body)["stream_options"] == json.loads(body[seen.options_start : seen.options_end])
    else:
        assert seen.options_start is None
        assert seen.options_end is None
    assert body[: seen.object_start].strip() == b"{"


@unhurried
@given(documents(), st.integers(0, 10_000), st.binary(max_size=3), st.lists(st.integers(0, 10_000), max_size=4))
def test_broken_bodies_never_raise_and_give_the_same(body: bytes, at: int, junk: bytes, cuts: list[int]) -> None:
    at %= len(body)
    broken = body[:at] + junk + body[at + 1 :]

    whole, pieces = peek(broken), peek_in(cut(broken, cuts))

    assert (whole.model, whole.stream) == (pieces.model, pieces.stream)
    assert pieces.valid or not whole.valid
    if whole.valid:
        json.loads(broken.decode("utf-8", "replace"))  # a member cut in two may still be JSON
        assert pieces == whole
    else:
        assert whole.options == "unread"


@unhurried
@given(st.binary(max_size=60))
def test_foreign_bytes_are_not_valid(body: bytes) -> None:
    if peek(body).valid:
        assert isinstance(json.loads(body.decode("utf-8", "replace")), dict)


@unhurried
@given(documents(), st.integers(1, 10_000))
def test_truncated_body_is_not_valid(body: bytes, at: int) -> None:
    kept = body.rstrip()[: at % len(body.rstrip())]

    assert not peek(kept).valid
    assert not peek_in([kept]).valid


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        (b'{"model":"a","stream":true}', "a", True),
        (b' \r\n{ "stream" :\tfalse , "model" : "a" } \n', "a", False),
        (b'{"messages":[{"model":"no","stream":true}],"model":"yes"}', "yes", None),
        (b'{"model":"first","model":"last"}', "last", None),
        (b'{"model":"first","model":5}', None, None),
        (b'{"\\u006dodel":"a","str\\u0065am":true}', "a", True),
        (b'{"m\\"odel":"no","x":"\\\\","model":"a\\"b\\\\"}', 'a"b\\', None),
        (b'{"model":null,"stream":"true"}', None, None),
        (b'{"model":{"model":"x"},"stream":1}', None, None),
        (b'{"model":"\xe6\x97\xa5"}', "\u65e5", None),
        (b'{"model":"\\ud83d\\ude42"}', "\U0001f642", None),
        (b'{"model":"a\\ud83d"}', "a\ufffd", None),
        (b'{"model":"a\xff"}', "a\ufffd", None),
        (b'{"messages":"half an emoji \\ud83d","model":"a","stream":true}', "a", True),
        (b"{}", None, None),
    ],
)
def test_model_and_stream(body: bytes, model: str | None, stream: bool | None) -> None:
    seen = peek(body)

    assert (model, stream, True) == (seen.model, seen.stream, seen.valid)
    assert peek_in([body[i : i + 1] for i in range(len(body))]) == seen


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        (b"", None, None),
        (b"[]", None, None),
        (b"null", None, None),
        (b'"model"', None, None),
        (b'\xef\xbb\xbf{"model":"a"}', None, None),
        (b'{"model":"a"', "a", None),
        (b'{"model":"a","stream":tru', "a", None),
        (b'{"model":"a","stream":true}x', "a", True),
        (b'{"model":"a",}', "a", None),
        (b'{"model":"a","x":01}', "a", None),
        (b'{"model":"a","x":NaN,"stream":true}', "a", None),
        (b'{"model":"a","x":[1}', "a", None),
        (b'{"model":"a","x":{"a":[}]}', "a", None),
        (b'{"model":"a","x":[\'b\']}', "a", None),
        (b'{"model":"a" "stream":true}', "a", None),
        (b'{"model":"a","stream" true}', "a", None),
        (b"{model:1}", None, None),
    ],
)
def test_what_was_certain_of_a_broken_body(body: bytes, model: str | None, stream: bool | None) -> None:
    seen = peek(body)

    assert (model, stream, False) == (seen.model, seen.stream, seen.valid)
    assert peek_in([body[i : i + 1] for i in range(len(body))]) == seen


def test_faults_deep_in_a_value_are_seen_by_peek_only() -> None:
    body = b'{"a":[tru,,1],"model":"a","stream":true}'

    assert not peek(body).valid
    assert peek_in([body]).valid


@pytest.mark.parametrize(
    ("options", "state"),
    [
        (b"null", "null"),
        (b"{ }", "empty"),
        (b'{"include_obfuscation":false}', "open"),
        (b'{"a":{"include_usage":true}}', "open"),
        (b'{"include_usage":false}', "said"),
        (b'{"include_usage":null}', "said"),
        (b'{"include\\u005fusage":true}', "said"),
        (b"[]", "foreign"),
        (b'"null"', "foreign"),
        (b"true", "foreign"),
        (b'{"a":"' + b"x" * 4096 + b'"}', "foreign"),
    ],
)
def test_states_of_stream_options(options: bytes, state: str) -> None:
    body = b'{"x":{"stream_options":null},"stream":true, "stream_options" : ' + options + b"}"

    seen = peek(body)

    assert state == seen.options
    assert peek_in([body]) == seen
    if seen.options_start is not None:
        assert options == body[seen.options_start : seen.options_end]


def test_options_under_an_escaped_name() -> None:
    body = b'{"x":{"stream_options":null},"stream":true,"stream\\u005foptions":null}'

    seen = peek(body)

    assert seen.options == "null"
    assert body[seen.options_start : seen.options_end] == b"null"
    assert seen.options_start == len(body) - 5
    assert peek_in([body]) == seen


@pytest.mark.parametrize("depth", [1, 30, 33, 65, 130, 500])
def test_deep_but_sparse_nests_are_followed(depth: int) -> None:
    nest = b'[{"a":' * depth + b'"]}"' + b"}]" * depth
    body = b'{"x":[' + nest + b',"text",' + nest + b'],"model":"m","stream":true}'

    seen = peek_in([body])

    assert seen == peek_in([body[i : i + 100] for i in range(0, len(body), 100)])
    assert (seen.model, seen.stream, seen.valid) == ("m", True, True)


def test_options_are_unread_where_nobody_needs_them() -> None:
    assert peek(b'{"stream":false,"stream_options":null}').options == "unread"
    assert peek(b'{"stream_options":null}').options == "unread"


# CPU time. Bounds are far beyond what a busy machine needs; the point is that nothing is quadratic.

MANY = 10_000_000


def around(unit: bytes, end: bytes = b"") -> bytes:
    return b'{"messages":[' + unit * (MANY // len(unit)) + end + b'],"model":"m","stream":true}'


IMAGES = b'{"type":"image_url","image_url":{"url":"data:image/png;base64,' + b"iVBORw0KGgo" * 90_000 + b'"}},'

LARGE = {
    "images": around(IMAGES, b"0"),
    "open lists": b'{"a":' + b"[" * MANY,
    "open objects": b'{"a":' * (MANY // 5),
    "empty lists": around(b"[],", b"0"),
    "nested 20 deep": around(b"[" * 20 + b"]" * 20 + b",", b"0"),
    "nested 900 deep": around(b"[" * 900 + b"]" * 900 + b",", b"0"),
    "small objects": around(b'{"role":"user","content":"hi"},', b"0"),
    "tiny numbers": around(b"1,", b"0"),
    "short strings": around(b'"a",', b"0"),
    "escaped quotes": around(b'"\\"\\\\\\"",', b"0"),
    "quotes": b'"' * MANY,
    "quotes in a list": b"{" + b'"a":["' + b'"' * MANY,
    "backslashes": b'{"a":"' + b"\\" * MANY,
    "one text": b'{"prompt":"' + b'a line\\n\\"' * (MANY // 10) + b'","model":"m"}',
    "members": b"{" + b'"a":1,' * (MANY // 6) + b'"model":"m"}',
    "white space": b"{" + b" " * MANY + b'"model":"m"}',
    "one number": b'{"a":' + b"1" * MANY + b"}",
    "one name": b'{"' + b"m" * MANY + b'":1,"model":"m"}',
    "one model": b'{"model":"' + b"m" * MANY + b'"}',
}


@pytest.mark.parametrize("name", LARGE)
def test_large_bodies_are_linear_and_bounded_per_piece(name: str) -> None:
    body = LARGE[name]
    peeker = Peeker()
    slowest_ms: list[float] = []

    for start in range(0, len(body), FEED_BYTES):
        piece = body[start : start + FEED_BYTES]
        began = time.thread_time_ns()
        peeker.feed(piece)
        slowest_ms.append((time.thread_time_ns() - began) / 1e6)

    assert sum(slowest_ms) < 60_000
    if name in ("images", "empty lists", "small objects", "tiny numbers", "short strings", "escaped quotes"):
        assert peeker.result() == Peek(
            model="m", stream=True, valid=True, object_start=1, options="absent", options_start=None, options_end=None
        )


def test_large_body_in_one_piece() -> None:
    assert peek_in([LARGE["images"]]) == peek(LARGE["images"])


def test_more_members_than_any_request_has_are_given_up() -> None:
    few = b'{"model":"a",' + b'"x":1,' * 100 + b'"stream":true}'
    many = b'{"model":"a",' + b'"x":1,' * 200 + b'"stream":true}'

    assert peek_in([few]) == peek(few)
    assert peek_in([many]) == Peek(model="a", object_start=1)


def test_a_peeker_is_free_when_nobody_holds_it() -> None:
    """Without the collector, which comes seldom in a relay."""
    peeker = Peeker()
    peeker.feed(b'{"model":"m",')
    held = weakref.ref(peeker)
    del peeker

    assert held() is None
