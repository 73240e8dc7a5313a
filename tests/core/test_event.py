"""The public form of an event, and that its page names all there is."""

from __future__ import annotations

import re
from pathlib import Path

from proxy.core.event import CHANGE_KINDS, NAMES, Event, event_json

DOC = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def test_every_name_and_every_kind_is_documented_in_this_order():
    words = re.findall(r"^\| `([a-z_]+)` \|", DOC, re.MULTILINE)

    assert words == [*NAMES, *CHANGE_KINDS]


def test_what_there_is_not_is_absent():
    event = Event(event_id=1, at_unix_ns=0, kind="version", before="1", after="2")

    assert event_json(event) == {
        "event_id": 1,
        "at": "1970-01-01T00:00:00.000000Z",
        "kind": "version",
        "before": "1",
        "after": "2",
    }
