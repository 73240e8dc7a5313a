"""Asking for usage, and taking out again exactly what was asked for: against the recorded pairs, cut anywhere."""

from __future__ import annotations

import functools
import itertools
import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.wire.injection import MAX_EVENT_BYTES, Edit, Unasked, UsageFilter, plan_usage, unasked_style
from proxy.wire.peek import peek
from proxy.wire.peeker import Peeker

FOLDER = Path(__file__).parent.parent / "data" / "wire"

DONE = b"data: [DONE]\n\n"

unhurried = settings(deadline=None)  # the cores are shared

# Recorded without and with include_usage, the same call.
PAIRS = {
    "ollama-0.33/chat-stream": "silent",
    "ollama-0.33/completions-stream": "silent",
    "ollama-0.24/chat-stream": "silent",
    "ollama-0.24/completions-stream": "silent",
    "litellm-1.106/chat-stream": "silent",
    "litellm-1.106/mock-stream": "silent",
    "litellm-1.106/completions-stream": "litellm_zeros",
}


# --- the request ---


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b'{"stream":true}', b'{"stream_options":{"include_usage":true},"stream":true}'),
        (b' { "stream": true }', b' {"stream_options":{"include_usage":true}, "stream": true }'),
        (b'{"stream":true,"stream_options":null}', b'{"stream":true,"stream_options":{"include_usage":true}}'),
        (b'{"stream":true,"stream_options":{}}', b'{"stream":true,"stream_options":{"include_usage":true}}'),
        (b'{"stream":true,"stream_options":{ }}', b'{"stream":true,"stream_options":{"include_usage":true }}'),
        (
            b'{"stream_options": {"a": [1]}, "stream":true}',
            b'{"stream_options": {"include_usage":true,"a": [1]}, "stream":true}',
        ),
        (
            b'{"stream_options":{"a":1},"stream":true,"stream_options":null}',
            b'{"stream_options":{"a":1},"stream":true,"stream_options":{"include_usage":true}}',
        ),
    ],
)
def test_usage_is_asked_for_and_all_other_bytes_stay(body: bytes, edited: bytes) -> None:
    edit = plan_usage(peek(body))

    assert edit is not None
    assert edited == edit.apply(body)
    assert len(edited) - len(body) == edit.growth
    assert json.loads(edited)["stream_options"]["include_usage"] is True
    assert plan_usage(peek(edited)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"model":"a"}',
        b'{"stream":false}',
        b'{"stream":null}',
        b'{"stream":1}',
        b'{"stream":true',
        b'{"stream":true} x',
        b'[{"stream":true}]',
        b'{"stream":true,"stream_options":{"include_usage":true}}',
        b'{"stream":true,"stream_options":{"include_usage":false}}',
        b'{"stream":true,"stream_options":[]}',
        b'{"stream":true,"stream_options":"yes"}',
    ],
)
def test_nothing_is_added(body: bytes) -> None:
    pieces = Peeker()
    pieces.feed(body)

    assert plan_usage(peek(body)) is None
    assert plan_usage(pieces.result()) is None


@pytest.mark.parametrize("pair", PAIRS)
def test_recorded_requests_become_those_that_ask(pair: str) -> None:
    plain, asking = (
        (FOLDER / f"{name}.request").read_bytes().partition(b"\r\n\r\n")[2] for name in (pair, f"{pair}-usage")
    )

    edit = plan_usage(peek(plain))

    assert edit is not None
    assert json.loads(asking) == json.loads(edit.apply(plain))
    assert plan_usage(peek(asking)) is None


# --- the answer: recorded pairs ---


def body_of(name: str) -> bytes:
    """The body of a recorded answer, without chunked framing."""
    head, _, rest = (FOLDER / f"{name}.response").read_bytes().partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body += rest[:length]
        rest = rest[length + 2 :]
    return body


@functools.cache
def pair_of(name: str) -> tuple[bytes, bytes]:
    """A recorded stream without usage, and the one with it, which is given the other's ids and times."""
    plain, asked = body_of(name), body_of(f"{name}-usage")
    for own in (rb'"id":"[^"]*"', rb'"created":\d+'):
        theirs = re.findall(own, plain)
        # The extra event is one more than the plain stream has.
        values = iter([*theirs, theirs[-1]])
        asked = re.sub(own, lambda _, values=values: next(values), asked)
        assert list(values) == []
    return plain, asked


def filtered(pieces: list[bytes], unasked: Unasked = "silent") -> bytes:
    usage = UsageFilter(unasked)
    return b"".join([*map(usage.feed, pieces), usage.flush()])


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(body) + 1) for place in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(places)]


def style(name: str) -> Unasked:
    return "litellm_zeros" if PAIRS[name] == "litellm_zeros" else "silent"


@pytest.mark.parametrize("name", PAIRS)
def test_recorded_pair_is_equal_cut_at_every_byte(name: str) -> None:
    plain, asked = pair_of(name)

    assert plain != asked
    for place in range(len(asked) + 1):
        assert plain == filtered([asked[:place], asked[place:]], style(name))
    assert plain == filtered([asked[i : i + 1] for i in range(len(asked))], style(name))


@pytest.mark.parametrize("name", PAIRS)
@unhurried
@given(cuts=st.lists(st.integers(0, 100_000), max_size=40))
def test_recorded_pair_is_equal_cut_into_many(name: str, cuts: list[int]) -> None:
    plain, asked = pair_of(name)

    assert plain == filtered(cut(asked, cuts), style(name))


@pytest.mark.parametrize("name", [name for name, unasked in PAIRS.items() if unasked == "silent"])
def test_unasked_recording_passes_as_the_same_objects(name: str) -> None:
    usage = UsageFilter()

    for event in pair_of(name)[0].split(b"\n\n")[:-1]:
        piece = event + b"\n\n"
        assert usage.feed(piece) is piece
    assert usage.flush() == b""
    assert usage.removed_bytes == usage.removed_events == 0


@pytest.mark.parametrize("name", PAIRS)
def test_line_ends_do_not_matter(name: str) -> None:
    plain, asked = pair_of(name)

    for end in (b"\r\n", b"\r"):
        pieces = [asked.replace(b"\n", end)[i : i + 7] for i in range(0, 2 * len(asked), 7)]
        assert plain.replace(b"\n", end) == filtered(pieces, style(name))


STREAMS = sorted(
    f"{path.parent.name}/{path.stem}"
    for path in FOLDER.glob("*/*.response")
    if "stream-usage" in path.stem or path.stem.startswith("queue-")
)


@pytest.mark.parametrize("name", STREAMS)
def test_every_recorded_stream_loses_usage_and_nothing_else(name: str) -> None:
    body = body_of(name)
    litellm_zeros = "litellm" in name and "completions" in name

    kept = filtered([body], "litellm_zeros" if litellm_zeros else "silent")

    assert without_usage(body) == without_usage(kept)
    assert litellm_zeros or b'"usage"' not in kept
    assert kept.endswith(DONE) == body.endswith(DONE)


def without_usage(body: bytes) -> list[dict[str, object] | str]:
    """Events read the slow way, as a client that ignores usage sees them."""
    seen: list[dict[str, object] | str] = []
    for event in body.decode().split("\n\n"):
        if event.startswith("data: {"):
            chunk = json.loads(event[6:])
            usage = chunk.pop("usage", None)
            if not (usage and chunk["choices"] in ([], [{"index": 0}], [{"index": 0, "delta": {}}])):
                seen.append(chunk)
        elif event:
            seen.append(event)
    return seen


def test_dead_runner_of_ollama_keeps_its_junk_event() -> None:
    """Empty text and zero usage is no usage event: the client would have got it."""
    name = "ollama-0.33/killed-runner-completions-stream-usage"

    kept = filtered([body_of(name)])

    assert kept.count(b"data: ") == body_of(name).count(b"data: ")
    assert b'"model":""' in kept


# --- the answer: what other servers may send ---

USAGE = b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"completion_tokens_details":{"a":0}}'


@pytest.mark.parametrize(
    ("event", "kept"),
    [
        # OpenAI: null, then obfuscation behind it
        (
            b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null,"obfuscation":"x"}\n\n',
            b'data: {"choices":[{"delta":{"content":"a"}}],"obfuscation":"x"}\n\n',
        ),
        (b'data: {"choices":[],"prompt_filter":[],"usage":null}\n\n', b'data: {"choices":[],"prompt_filter":[]}\n\n'),
        (b'data: {"usage": null, "choices": [{"a":1}]}\n\n', b'data: {"choices": [{"a":1}]}\n\n'),
        (b'data: {"choices": [{"a":1}] , "usage" : 5 }\n\n', b'data: {"choices": [{"a":1}]  }\n\n'),
        (
            b'data: {"choices":[{"finish_reason":"stop"}],' + USAGE + b"}\n\n",
            b'data: {"choices":[{"finish_reason":"stop"}]}\n\n',
        ),
        # the extra event in several forms
        (b'data: {"choices":[],' + USAGE + b"}\n\n", b""),
        (b"data: {" + USAGE + b',"choices":[],"timings":{}}\n\n', b""),
        (b'data:{"choices":[{"index":0,"delta":{},"finish_reason":null,"logprobs":null}],' + USAGE + b"}\n\n", b""),
        (b'id: 7\nevent: x\n: note\ndata: {"choices":[],' + USAGE + b"}\n\n", b""),
        (b'\xef\xbb\xbfdata: {"choices":[],' + USAGE + b"}\n\n", b""),
        (b'data: {"choices":[],\ndata: ' + USAGE + b"\ndata:}\n\n", b""),
        # over several lines
        (
            b'data: {"choices":[{"a":1}],\ndata: "usage":\ndata: null\ndata: ,"b":2}\n: note\n\n',
            b'data: {"choices":[{"a":1}]\ndata: \ndata: \ndata: ,"b":2}\n: note\n\n',
        ),
    ],
)
def test_usage_is_taken_out(event: bytes, kept: bytes) -> None:
    for place in range(len(event) + 1):
        usage = UsageFilter()
        out = usage.feed(event[:place]) + usage.feed(event[place:] + DONE) + usage.flush()

        assert kept + DONE == out
        assert usage.removed_bytes == len(event) - len(kept)
        assert usage.removed_events == (0 if kept else 1)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"choices":[{"delta":{"content":"the \\"usage\\":null of it"}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"x"},"logprobs":{"content":[{"token":"usage"}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\\"usage\\":{}}"}}]}}]}\n\n',
        b'data: {"choices":[{"delta":{"content":"x","usage":null}}],"x":{"usage":{}}}\n\n',
        b'data: {"error":{"message":"no"},"usage":null}\n\n',
        b'data: {"choices":null,"usage":{}}\n\n',
        b'data: {"choices":[],"usage":{}\n\n',
        b'data: {"choices":[1],"usage":{}}\n\n',
        b'data: ["usage"]\n\n',
        b': {"choices":[],"usage":{}}\n\n',
        b'dat: {"choices":[],"usage":{}}\n\n',
        b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":1}}\n\n',
        b'data: {"type":"response.completed","response":{"usage":{"input_tokens":1}}}\n\n',
        b'data: {"choices":[{"\xff":1}],"usage":null}\n\n',
        b"data: " + b"[" * 5000 + b'"usage"\n\n',
        b"\n\n\r\r\n\n",
        b'"usage"',
        b"data: \n" * 2000 + b'data: {"choices":[],"usage":{}}\n\n',
    ],
)
def test_what_only_looks_like_usage_is_untouched(event: bytes) -> None:
    usage = UsageFilter()

    assert event == usage.feed(event) + usage.flush()
    assert event == filtered([event[i : i + 1] for i in range(len(event))])
    assert usage.removed_bytes == usage.removed_events == 0


def test_half_an_emoji_beside_usage() -> None:
    event = b'data: {"choices":[{"delta":{"content":"\\ud83d"}}],"usage":null}\n\n'

    assert filtered([event]) == b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n'


def test_last_event_without_blank_line_is_judged() -> None:
    extra = b'data: {"choices":[],"usage":{"prompt_tokens":1}}'

    assert filtered([DONE, extra]) == DONE
    assert filtered([DONE, extra + b"\n"]) == DONE
    assert filtered([DONE, extra[:-1]]) == DONE + extra[:-1]


def test_line_feed_behind_a_dropped_event_goes_with_it() -> None:
    extra = b'data: {"choices":[],"usage":{}}\r\n\r\n'

    assert filtered([extra[:-1], extra[-1:], DONE]) == DONE
    assert filtered([extra[:-1], b"", DONE]) == DONE


def test_events_are_held_only_to_their_end() -> None:
    usage = UsageFilter()
    plain = b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'

    assert usage.feed(plain + plain[:20]) == plain
    assert usage.feed(plain[20:]) == plain
    assert usage.feed(plain) is not None
    assert usage.feed(b'data: {"choices":[{"a":1}],"usage":null}\n\n' + plain) == (
        b'data: {"choices":[{"a":1}]}\n\n' + plain
    )


def test_litellm_zeros_are_put_back_only_where_they_were() -> None:
    usage = UsageFilter("litellm_zeros")
    zeros = b',"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":0}'
    error = b'data: {"error":{"message":"no","code":"500"}}\n\n'

    assert usage.feed(b'data: {"choices":[{"text":"a"}]}\n\n') == b'data: {"choices":[{"text":"a"}]' + zeros + b"}\n\n"
    assert usage.feed(b'data: {"choices":[{"text":"a"}],"usage":null}\n\n').endswith(zeros + b"}\n\n")
    assert usage.feed(error + DONE) == error + DONE
    assert usage.added_bytes == 2 * len(zeros) - 1


def test_litellm_zeros_in_data_over_several_lines() -> None:
    event = b'data: {"choices":[{"text":"a"}]\ndata: }\n\n'

    out = filtered([event], "litellm_zeros")

    assert out == event.replace(b"}\n\n", b',"usage":{"completion_tokens":0,"prompt_tokens":0,"total_tokens":0}}\n\n')


def test_unasked_style_by_path() -> None:
    assert unasked_style("/v1/completions", litellm=True) == "litellm_zeros"
    assert unasked_style("/completions", litellm=True) == "litellm_zeros"
    assert unasked_style("/v1/chat/completions", litellm=True) == "silent"
    assert unasked_style("/v1/completions", litellm=False) == "silent"


LINES = st.sampled_from(
    [
        b'data: {"choices":[{"text":"a"}]}',
        b'data: {"choices":[{"text":"usage"}],"usage":{"a":0}}',
        b'data: {"choices":[],"usage":{"a":1}}',
        b'data: {"choices":[],',
        b'data: "usage":{}}',
        b": ping",
        b"data: [DONE]",
        b"data",
        b"\xff\x00",
        b"",
        b"",
    ]
)
BODIES = st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=14).map(
    lambda lines: b"".join(itertools.chain.from_iterable(lines))
)


@unhurried
@given(BODIES, st.lists(st.integers(0, 1000), max_size=12), st.sampled_from(["silent", "litellm_zeros"]))
@example(b'data: {"choices":[],"usage":{}}\r\r\n', [32], "silent")
def test_result_never_depends_on_cuts(body: bytes, cuts: list[int], unasked: Unasked) -> None:
    whole = UsageFilter(unasked)
    expected = whole.feed(body) + whole.flush()

    assert expected == filtered(cut(body, cuts), unasked)
    assert expected == filtered([body[i : i + 1] for i in range(len(body))], unasked)
    assert len(expected) == len(body) - whole.removed_bytes + whole.added_bytes


@unhurried
@given(st.sampled_from(STREAMS), st.integers(0, 100_000), st.binary(max_size=4), st.lists(st.integers(0, 100_000)))
def test_mutated_recordings_never_raise(name: str, at: int, junk: bytes, cuts: list[int]) -> None:
    body = body_of(name)[:8000]
    mutated = body[: at % len(body)] + junk + body[at % len(body) + len(junk) :] if body else junk

    assert filtered([mutated]) == filtered(cut(mutated, cuts))


# --- bounds ---


def fed_ms(body: bytes, usage: UsageFilter) -> tuple[bytes, float]:
    began = time.thread_time_ns()
    out = b"".join([usage.feed(body[i : i + 65_536]) for i in range(0, len(body), 65_536)]) + usage.flush()
    return out, (time.thread_time_ns() - began) / 1e6


def test_too_long_an_event_passes_unread_and_the_next_is_judged() -> None:
    long = b'data: {"choices":[{"text":"' + b"x" * MAX_EVENT_BYTES + b'"}],"usage":null}\r\n\r\n'
    extra = b'data: {"choices":[],"usage":{}}\n\n'
    usage = UsageFilter()

    out, _ = fed_ms(extra + long + extra + DONE, usage)

    assert out == long + DONE
    assert (usage.oversize_events, usage.removed_events) == (1, 2)
    assert filtered([long + extra + DONE]) == long + DONE


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices":[{"text":"' + b"x" * 10_000_000 + b'"}],"usage":null}\n\n',
        b'data: {"choices":[{"text":"a"}],"x":[' + b'{"usage":null},' * 500_000 + b'0],"usage":null,"y":1}\n\n',
        b"data: {\n" * 1_000_000 + b'"usage"',
        b"\r" * 5_000_000,
        b"data: x\r\r" * 300_000,
        b'data: {"choices":[{"a":1}],"usage":null}\n\n' * 100_000,
    ],
    ids=["one line", "nested usage", "many data lines", "carriage returns", "small events", "small usage events"],
)
def test_time_is_linear(body: bytes) -> None:
    """CPU time; a hundredfold of what an idle core needs, so that only what is quadratic fails."""
    _, ms = fed_ms(body, UsageFilter())

    assert ms < 60_000


def test_edit_is_a_splice() -> None:
    edit = Edit(start=1, end=3, replacement=b"xyz")

    assert edit.apply(b"abcd") == b"axyzd"
    assert edit.growth == 1
