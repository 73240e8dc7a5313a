"""W3C Trace Context, strictly; samplers as the SDK's."""

from __future__ import annotations

import random
from typing import get_args

import pytest
from opentelemetry.sdk.trace import sampling
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from proxy.core.otel import SamplerName
from proxy.wire.trace_context import SAMPLED, Sampler, TraceContext, read_traceparent, write_traceparent

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01".encode()


def test_a_valid_one_is_read_and_written_back():
    assert read_traceparent([GOOD]) == TraceContext(TRACE, SPAN, 1)
    assert write_traceparent(TRACE, SPAN, 1) == GOOD


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        GOOD[:-1],
        GOOD + b"0",
        GOOD + b"-",
        GOOD + b"-00",  # version 00 ends with the flags
        GOOD.upper(),
        GOOD.replace(b"-", b"_"),
        b"ff" + GOOD[2:],
        b"0g" + GOOD[2:],
        GOOD.replace(TRACE.encode(), b"0" * 32),
        GOOD.replace(SPAN.encode(), b"0" * 16),
        GOOD[:-2] + b"0x",
        GOOD + b"\n",
        b"00-" + "٠".encode() * 16 + GOOD[35:],
    ],
)
def test_a_malformed_one_is_none(value):
    assert read_traceparent([value]) is None


def test_a_later_version_may_go_on_behind_a_hyphen():
    later = b"cc" + GOOD[2:]

    assert read_traceparent([later]) == read_traceparent([later + b"-what-the-future-brings"]) is not None
    assert read_traceparent([later + b".what"]) is None


def test_two_are_none():
    assert read_traceparent([GOOD, GOOD]) is None
    assert read_traceparent([]) is None


@pytest.mark.parametrize("name", get_args(SamplerName))
@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_samplers_decide_as_those_of_the_sdk(name, ratio):
    roots = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(ratio),
    }
    theirs = roots[name.removeprefix("parentbased_")]
    if name.startswith("parentbased_"):
        theirs = sampling.ParentBased(theirs)
    ours, rng = Sampler(name, ratio), random.Random(7)

    for _ in range(200):
        trace_id = rng.getrandbits(128)
        for flags in (None, 0, 1):
            parent, context = None, None
            if flags is not None:
                parent = TraceContext(f"{trace_id:032x}", SPAN, flags)
                remote = SpanContext(trace_id, int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(flags))
                context = set_span_in_context(NonRecordingSpan(remote))
            expected = theirs.should_sample(context, trace_id, "name").decision.is_sampled()
            assert bool(ours.flags(f"{trace_id:032x}", parent) & SAMPLED) == expected


def test_the_random_flag_is_handed_on_and_others_are_not():
    assert Sampler("always_off", 1).flags(TRACE, TraceContext(TRACE, SPAN, 0xFF)) == 0x02
