"""What is said of JSON text without reading it."""

from __future__ import annotations

import json
import re

from proxy.wire.json_text import last_member, without_surrogates


def test_last_member_ignores_nested_and_quoted_names() -> None:
    member = re.compile(rb'"u":')
    text = rb'{"u":1,"a":{"u":1},"b":["u",{"u":1}],"c":"\"u\":1","\"u":1}'

    found = last_member(text, member, b"1")

    assert found is not None
    assert found.start() == 1
    assert last_member(b'{"a":[' + b'{"u":1},' * 2000 + b'0],"u":1}', member, b"1") is None


def test_without_surrogates_keeps_length_and_structure() -> None:
    text = rb'["\ud83d","\\ud83d","\u0041"]'

    assert len(without_surrogates(text)) == len(text)
    assert json.loads(without_surrogates(text)) == ["A", "\\u0041", "A"]
