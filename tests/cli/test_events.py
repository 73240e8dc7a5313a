"""`sightglass events`: what changed, for people and for programs."""

from __future__ import annotations

import orjson
import pytest

from proxy.core.event import Event
from proxy.store import UpstreamChanges, open_ledger

DIGEST = "0123456789ab" + "0" * 52


@pytest.fixture
def recorded(tmp_path):
    changes = [
        Event(at_unix_ns=10**18, kind="version", upstream="default", before="0.32.6", after="0.33.0"),
        Event(at_unix_ns=2 * 10**18, kind="digest", upstream="default", model="chat:latest", before="a", after=DIGEST),
    ]
    with open_ledger(tmp_path) as ledger:
        ledger.note_changes(UpstreamChanges(events=changes))
    return tmp_path


def test_as_a_table(sightglass, recorded):
    title, version, digest = sightglass("events", "--data", str(recorded)).output.splitlines()

    assert title.split() == ["AT", "KIND", "UPSTREAM", "MODEL", "BEFORE", "AFTER"]
    assert version.split()[2:] == ["version", "default", "-", "0.32.6", "0.33.0"]
    assert digest.split()[2:] == ["digest", "default", "chat:latest", "a", "0123456789ab"]


def test_as_json(sightglass, recorded):
    lines = sightglass("events", "--data", str(recorded), "--json", "--last", "1").output.splitlines()

    assert [orjson.loads(line) for line in lines] == [
        {
            "event_id": 2,
            "at": "2033-05-18T03:33:20.000000Z",
            "kind": "digest",
            "upstream": "default",
            "model": "chat:latest",
            "before": "a",
            "after": DIGEST,
        }
    ]


def test_none_is_nothing_to_print(sightglass, tmp_path):
    open_ledger(tmp_path).close()

    assert sightglass("events", "--data", str(tmp_path)).output == ""
    assert sightglass("events", "--data", str(tmp_path), "--json").output == ""


def test_no_ledger_is_said_in_one_line(sightglass, tmp_path):
    result = sightglass("events", "--data", str(tmp_path / "nowhere"))

    assert result.exit_code == 1
    assert "no ledger in" in result.output
