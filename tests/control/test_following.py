"""Followed within a look; what is damaged or gone changes nothing, and is said once."""

from __future__ import annotations

import errno
import logging
from pathlib import Path

import pytest

from proxy.control import following as following_module
from proxy.control.following import Follower
from proxy.control.publishing import publish
from proxy.control.snapshot import Snapshot, control_path
from tests.control.test_publishing import key, with_key


def following(data: Path) -> tuple[Follower, list[Snapshot | None]]:
    taken: list[Snapshot | None] = []
    follower = Follower(control_path(data), taken.append)
    follower.look()
    return follower, taken


def test_without_a_file_nothing_is_decided(tmp_path: Path) -> None:
    _, taken = following(tmp_path)

    assert taken == [Snapshot()]


def test_each_new_snapshot_is_taken_once(tmp_path: Path) -> None:
    publish(tmp_path, with_key("a"))
    follower, taken = following(tmp_path)
    follower.look()
    publish(tmp_path, with_key("b"))
    follower.look()
    follower.look()

    assert [snapshot and snapshot.keys for snapshot in taken] == [(key("a"),), (key("a"), key("b"))]


@pytest.mark.parametrize("damage", ["torn", "gone", "no permission"])
def test_the_last_good_one_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    publish(tmp_path, with_key("a"))
    follower, taken = following(tmp_path)
    path = control_path(tmp_path)
    if damage == "torn":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "gone":
        path.unlink()
    else:
        path.unlink()
        path.mkdir()  # root may read everything, but no directory
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            follower.look()

    assert len(taken) == 1
    assert [record.message for record in caplog.records] == ["control_snapshot_kept"]


def test_it_goes_on_after_the_damage(tmp_path: Path) -> None:
    publish(tmp_path, with_key("a"))
    follower, taken = following(tmp_path)
    control_path(tmp_path).unlink()
    follower.look()
    publish(tmp_path, with_key("b"))
    follower.look()

    assert [snapshot and snapshot.keys for snapshot in taken] == [(key("a"),), (key("b"),)]


def test_a_file_that_never_could_be_read_opens_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    control_path(tmp_path).write_text("nonsense")
    _, taken = following(tmp_path)

    assert taken == [None]
    assert [record.message for record in caplog.records] == ["control_snapshot_unreadable"]


def test_for_calls_it_looks_at_once_and_then_a_moment_later(tmp_path: Path) -> None:
    publish(tmp_path, with_key("a"))
    follower, taken = following(tmp_path)
    publish(tmp_path, with_key("b"))
    follower.look_for_call(1000.0)
    publish(tmp_path, with_key("c"))
    follower.look_for_call(1000.09)
    assert len(taken) == 2
    follower.look_for_call(1000.1)

    assert len(taken) == 3


def test_one_that_cannot_be_read_just_now_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of descriptors, for one: a revoked key is not to pass until the next change."""
    publish(tmp_path, with_key("a"))
    follower, taken = following(tmp_path)
    publish(tmp_path, with_key("b"))
    with monkeypatch.context() as patched:
        patched.setattr(following_module, "read_snapshot", no_descriptor)
        follower.look()
        assert len(taken) == 1
    follower.look()

    assert len(taken) == 2


def no_descriptor(_: Path) -> Snapshot | None:
    raise OSError(errno.EMFILE, "too many open files")
