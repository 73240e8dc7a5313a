"""Health says in words what is wrong, and is well when nothing is."""

from __future__ import annotations

import errno
import time

import msgspec

from proxy.core.config import Config, Observer
from proxy.journal.counters import Counter
from proxy.observe.upstreams.looking import Seen
from tests.console.conftest import UPSTREAM, Stage


async def test_all_is_well(stage: Stage) -> None:
    await stage.calls("a")

    report = stage.health.report()

    assert (report["status"], report["problems"]) == ("ok", [])
    assert report["relays"]["living"] == report["relays"]["wanted"] == 1
    assert report["ledger"]["calls"] == 1
    assert report["ledger"]["last_commit_at"] is not None
    assert report["journal"]["lag_bytes"] == 0
    assert report["upstreams"][0]["last_success_at"] is not None
    assert {"sightglass", "python"} <= set(report["versions"])


async def test_without_relays_it_fails(stage: Stage) -> None:
    stage.relay.die()

    report = stage.health.report()

    assert (report["status"], report["relays"]["status"]) == ("failing", "failing")
    assert report["problems"] == ["No relay process runs: calls are not taken."]


async def test_too_few_relays(stage: Stage) -> None:
    stage.health._config = Config(data=stage.config.data, workers=2, observer=Observer())

    assert stage.health.report()["problems"] == ["1 of 2 relay processes run."]


async def test_a_disk_that_refuses(stage: Stage) -> None:
    words = stage.relay.writer.counters.words
    words[Counter.WRITE_STATE], words[Counter.LAST_ERRNO], words[Counter.BACKLOG_FRAMES] = 1, errno.ENOSPC, 7
    words[Counter.FINISHED_LOST] = 3

    report = stage.health.report()

    assert (report["status"], report["journal"]["status"]) == ("degraded", "degraded")
    assert (report["journal"]["writing"], report["journal"]["backlog_frames"]) == ("backlog", 7)
    assert report["journal"]["frames_lost"] == {"started": 0, "finished": 3}
    assert "No space left on device" in report["problems"][0]


async def test_an_upstream_that_is_down(stage: Stage) -> None:
    watch = stage.watcher._watches["default"]
    watch.seen = Seen(up=False, kind="auto", error="Connection refused", at_unix_s=time.time())
    only_one = stage.health.report()
    stage.health._upstreams = (UPSTREAM, msgspec.structs.replace(UPSTREAM, name="other"))
    one_of_two = stage.health.report()

    assert (only_one["status"], one_of_two["status"]) == ("failing", "degraded")
    assert [upstream["up"] for upstream in one_of_two["upstreams"]] == [False, None]
    text = "The upstream default at http://127.0.0.1:11434 does not answer: Connection refused."
    assert only_one["problems"] == one_of_two["problems"] == [text]


async def test_an_observer_that_is_behind_or_gone(stage: Stage) -> None:
    stage.observing.stop()
    stage.observing.wait()
    gone = stage.health.report()
    stage.observing.state.doing = "observing"
    stage.observing.state.behind_since = time.monotonic() - 100

    behind = stage.health.report()

    assert (gone["status"], gone["observer"]["status"]) == ("failing", "failing")
    assert (behind["status"], behind["problems"]) == ("degraded", ["The observer is 100 s behind."])
    assert stage.health.waiting_for() == ["journal"]
