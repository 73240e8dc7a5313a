"""Doctor: who may do what."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy.cli.doctor.access import examine_access
from proxy.control.admin_token import make_token, token_path
from proxy.control.snapshot import control_path
from proxy.core.config import Access, Config
from proxy.observe.client_keys import publish_keys
from tests.control.test_publishing import key


def said(config: Config) -> list[tuple[str, str]]:
    return [(finding.mark, finding.found) for finding in examine_access(config)]


def test_on_loopback_all_is_well(tmp_path: Path) -> None:
    assert said(Config(data=str(tmp_path))) == [
        ("ok", "none; whoever is on this machine may call"),
        ("ok", "open to whoever is on this machine"),
    ]


@pytest.mark.parametrize(
    ("config", "keys", "marks", "words"),
    [
        (Config(host="0.0.0.0", allow_public_bind=True), [], ["warning", "ok"], "nobody is asked who calls"),
        (Config(console_host="::", allow_public_bind=True), [], ["ok", "warning"], "is public"),
        (Config(host="::", console_host="::"), [key("a")], ["ok", "ok"], "1 open, 0 revoked"),
        (Config(), [replace(key("a"), revoked_unix_ns=1)], ["warning", "ok"], "nobody can call"),
        (Config(access=Access(client_keys="required")), [], ["warning", "ok"], "nobody can call"),
        (Config(access=Access(console_login="required")), [], ["ok", "ok"], "asks for the admin token"),
    ],
)
def test_what_wants_a_look_is_told(tmp_path: Path, config: Config, keys: list, marks: list[str], words: str) -> None:
    publish_keys(tmp_path, keys)
    found = said(replace(config, data=str(tmp_path)))

    assert [mark for mark, _ in found] == marks
    assert any(words in text for _, text in found)


def test_files_that_others_can_read_are_told(tmp_path: Path) -> None:
    make_token(tmp_path)
    token_path(tmp_path).chmod(0o644)

    assert ("warning", f"{token_path(tmp_path)} is open to other users (mode 0644)") in said(Config(data=str(tmp_path)))


def test_a_damaged_snapshot_is_told(tmp_path: Path) -> None:
    control_path(tmp_path).write_text("{")
    (finding,) = examine_access(Config(data=str(tmp_path)))

    assert (finding.mark, "keys list" in finding.do) == ("wrong", True)
