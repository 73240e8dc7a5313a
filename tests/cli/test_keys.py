"""`sightglass keys` and `token`."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from proxy.control.admin_token import token_path
from proxy.control.snapshot import control_path, read_snapshot
from proxy.core.client_key import hash_of
from proxy.policy.keys import KeyRing


def ring(data: Path) -> KeyRing:
    snapshot = read_snapshot(control_path(data))
    assert snapshot is not None
    return KeyRing(snapshot.keys, required=False)


def test_a_key_is_shown_once_and_opens_until_it_is_revoked(sightglass, tmp_path):
    data = tmp_path / "data"
    added = sightglass("keys", "add", "alice", "--data", str(data))
    key = added.stdout.strip()

    assert added.exit_code == 0, added.output
    assert ring(data).identify([key.encode()]) == ("known", "alice")
    assert "calls without one are refused" in added.stderr
    assert stat.S_IMODE((data / "ledger.sqlite3").stat().st_mode) == 0o600
    everything = b"".join(file.read_bytes() for file in data.rglob("*") if file.is_file())
    assert key.encode() not in everything
    assert hash_of(key.encode()).encode() in everything

    revoked = sightglass("keys", "revoke", "alice", "--data", str(data))

    assert (revoked.exit_code, "is revoked" in revoked.stderr) == (0, True)
    assert ring(data).identify([key.encode()]) == ("revoked", "alice")
    assert ring(data).identify([]).verdict == "missing"
    again = sightglass("keys", "revoke", "alice", "--data", str(data))
    assert (again.exit_code, "was revoked before" in again.stderr) == (0, True)


def test_the_list_is_a_table_without_keys(sightglass, tmp_path):
    keys = [sightglass("keys", "add", name, "--data", str(tmp_path)).stdout.strip() for name in ("alice", "bob.b@c")]
    sightglass("keys", "revoke", "bob.b@c", "--data", str(tmp_path))
    shown = sightglass("keys", "list", "--data", str(tmp_path)).stdout
    told = [
        json.loads(line) for line in sightglass("keys", "list", "--data", str(tmp_path), "--json").stdout.splitlines()
    ]

    lines = [line.split() for line in shown.splitlines()]
    assert lines[0] == ["NAME", "KEY", "STATE", "CREATED", "REVOKED"]
    assert [line[:3] for line in lines[1:]] == [
        ["alice", keys[0][:9] + "...", "open"],
        ["bob.b@c", keys[1][:9] + "...", "revoked"],
    ]
    assert not any(key in shown for key in keys)
    assert [(key["name"], "revoked_at" in key) for key in told] == [("alice", False), ("bob.b@c", True)]


def test_a_name_means_one_key_for_ever(sightglass, tmp_path):
    sightglass("keys", "add", "alice", "--data", str(tmp_path))
    second = sightglass("keys", "add", "alice", "--data", str(tmp_path))
    sightglass("keys", "revoke", "alice", "--data", str(tmp_path))
    third = sightglass("keys", "add", "alice", "--data", str(tmp_path))

    assert (second.exit_code, third.exit_code) == (1, 1)
    assert "has a key" in second.stderr
    assert "which is revoked" in third.stderr


def test_mistakes_are_told(sightglass, tmp_path):
    assert "is no name" in sightglass("keys", "add", "a b", "--data", str(tmp_path)).stderr
    assert "is no name" in sightglass("keys", "add", "\x1b[31m", "--data", str(tmp_path)).stderr
    assert "no key of 'bob'" in sightglass("keys", "revoke", "bob", "--data", str(tmp_path)).stderr
    none = sightglass("keys", "list", "--data", str(tmp_path / "nowhere"))
    assert (none.exit_code, none.stdout) == (0, "")
    assert not (tmp_path / "nowhere").exists()


def test_keys_can_be_made_for_a_public_bind_that_is_not_allowed_yet(sightglass, tmp_path):
    file = tmp_path / "s.yaml"
    file.write_text(f"host: 0.0.0.0\ndata: {tmp_path}/data\n")
    before = sightglass("config", "show", "--config", str(file))
    added = sightglass("keys", "add", "alice", "--config", str(file))
    after = sightglass("config", "show", "--config", str(file))
    sightglass("keys", "revoke", "alice", "--config", str(file))
    revoked = sightglass("config", "show", "--config", str(file))

    assert before.exit_code == 2
    assert "sightglass keys add NAME" in before.stderr
    assert (added.exit_code, after.exit_code, revoked.exit_code) == (0, 0, 2)


def test_token_says_where_it_is_and_makes_it(sightglass, tmp_path):
    data = tmp_path / "data"
    said = sightglass("token", "--data", str(data))
    shown = sightglass("token", "--data", str(data), "--show")

    assert said.stdout.strip() == str(token_path(data))
    assert shown.stdout.strip() == token_path(data).read_text().strip()
    assert stat.S_IMODE(token_path(data).stat().st_mode) == 0o600
