"""Health: what each part says of itself, and what that comes to in plain words. Reads; decides nothing for others.

failing    calls do not pass, or are not recorded now
degraded   calls pass and are kept; something wants a look
ok
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import aiohttp

from proxy import __version__
from proxy.analyse.drift.live import DriftReport
from proxy.console.drift_part import drift_part, drift_problems
from proxy.core.call_json import rfc3339
from proxy.core.config import Config
from proxy.core.upstreams import ResolvedUpstream
from proxy.journal.counters import Counter
from proxy.journal.segments import journal_directory
from proxy.observe.observing import Observing
from proxy.observe.relays import Counts, Relay, counts_of, lag_bytes, living, relays_of, total
from proxy.observe.upstreams.figures import NONE_SEEN, ModelRow, model_counts, model_rows
from proxy.observe.upstreams.watcher import Watcher

Status = Literal["ok", "degraded", "failing"]
LATE_S: Final = 30.0  # a lag beyond this is told; a commit takes 10 ms, a locked ledger comes back within seconds
_RANK: Final[dict[Status, int]] = {"ok": 0, "degraded": 1, "failing": 2}


class Problem(NamedTuple):
    """Something that a person should know, in one sentence."""

    status: Status
    part: str
    text: str


class Health:
    """Looks at everything; the answers may take a millisecond of file reading, so call it from a thread."""

    def __init__(
        self,
        config: Config,
        upstreams: Sequence[ResolvedUpstream],
        observing: Observing,
        watcher: Watcher,
        last_success: Callable[[], Mapping[str, float]],
        *,
        drift: Callable[[], DriftReport] | None = None,
    ) -> None:
        """last_success: gives upstream -> Unix time of its last good call. drift: how it stands; None = it is off."""
        self._config = config
        self._upstreams = tuple(upstreams)
        self._observing, self._watcher = observing, watcher
        self._last_success = last_success
        self._drift = drift
        self._journal = journal_directory(Path(config.data))
        self._began = time.monotonic()

    def report(self) -> dict[str, Any]:
        """The whole of /health."""
        counts = self._observing.relay_counters()
        relays = relays_of(self._journal, counts)
        if counts is None:
            counts = counts_of(relays)
        parts: dict[str, Any] = {
            "relays": self._relays(relays),
            "observer": self._observer(),
            "journal": self._journal_part(relays, counts),
            "ledger": self._ledger(),
            "upstreams": list(self._upstream_parts()),
            "prices": self._prices(),
            "drift": drift_part(self._drift() if self._drift is not None else None),
        }
        problems = list(self._problems(parts))
        for part in ("relays", "observer", "journal", "ledger", "prices", "drift"):
            parts[part] = {
                "status": _worst(problem.status for problem in problems if problem.part == part),
                **parts[part],
            }
        return {
            "status": _worst(problem.status for problem in problems),
            "problems": [problem.text for problem in problems],
            **parts,
            "versions": versions(),
            "up_s": round(time.monotonic() - self._began, 1),
        }

    def models(self, *, most: int) -> list[ModelRow]:
        """The upstreams' models, loaded ones first."""
        return model_rows(self._watcher.models(), most=most)

    def waiting_for(self) -> list[str]:
        """What /ready waits for; empty = ready. Only our own parts: an upstream that is down is not our absence."""
        state = self._observing.state
        waits = []
        if not any(relay.lives and not relay.count(Counter.DRAINING) for relay in relays_of(self._journal, None)):
            waits.append("relay")
        if state.doing != "observing":
            waits.append("ledger" if state.doing == "ledger_away" else "observer")
        elif not state.caught_up or state.lag_s() > LATE_S:
            waits.append("journal")
        return waits

    def _relays(self, relays: list[Relay]) -> dict[str, Any]:
        processes = [
            {
                "worker": relay.worker,
                "pid": relay.pid,
                "lives": True,
                "up_s": round(time.time() - relay.began_unix_s, 1),
                "active_calls": relay.active_calls,
                "client_connections": relay.count(Counter.CLIENTS),
                "draining": bool(relay.count(Counter.DRAINING)),
            }
            for relay in relays
            if relay.lives
        ]
        return {"wanted": self._config.workers, "living": len(processes), "processes": processes}

    def _observer(self) -> dict[str, Any]:
        state = self._observing.state
        return {
            "doing": state.doing,
            "pid": os.getpid(),
            "caught_up": state.caught_up and state.lag_s() <= LATE_S,
            "lag_s": round(state.lag_s(), 3),
            "errors": dict(self._observing.guards.errors),
            "calls_lost": dict(state.lost),
        }

    def _journal_part(self, relays: list[Relay], counts: Counts) -> dict[str, Any]:
        return {
            "writing": "backlog" if living(relays, Counter.WRITE_STATE) else "direct",
            "lag_bytes": lag_bytes(self._journal, self._observing.positions()),
            "backlog_frames": living(relays, Counter.BACKLOG_FRAMES),
            "backlog_bytes": living(relays, Counter.BACKLOG_BYTES),
            "frames_lost": {
                "started": total(counts, Counter.STARTED_LOST),
                "finished": total(counts, Counter.FINISHED_LOST),
            },
            "write_errors": total(counts, Counter.WRITE_ERRORS),
            "write_stalls": total(counts, Counter.WRITE_STALLS),
            "last_error": _errno_text(relays),
            "damaged_frames": self._observing.state.damaged_frames,
        }

    def _ledger(self) -> dict[str, Any]:
        state = self._observing.state
        return {
            "open": state.doing == "observing",
            "calls": state.ledger_calls,
            "commits": state.commits,
            "commit_failures": state.commit_failures,
            "last_commit_at": _at(state.last_commit_unix_s),
            "error": state.ledger_error,
        }

    def _upstream_parts(self) -> Iterator[dict[str, Any]]:
        seen, successes = self._watcher.seen(), self._last_success()
        models, not_ready = self._watcher.models(), self._watcher.not_ready()
        for upstream in self._upstreams:
            found = seen.get(upstream.name)
            yield {
                "name": upstream.name,
                "url": upstream.url,
                "up": found.up if found else None,  # None = not looked at yet
                "kind": found.kind if found else upstream.kind,
                "version": found.version if found else None,
                "error": found.error if found else None,
                "looked_at": _at(found.at_unix_s) if found else None,
                "last_success_at": _at(successes.get(upstream.name)),
                "not_ready": not_ready.get(upstream.name),
                "models": model_counts(models.get(upstream.name, NONE_SEEN)),
                "stand_in": upstream.stand_in,
            }

    def _prices(self) -> dict[str, Any]:
        status = self._observing.price_status()
        return {
            "own": len(self._config.prices),
            "file": status.path if status else None,
            "entries": status.entries if status else 0,
            "error": status.error if status else None,
        }

    def _problems(self, parts: Mapping[str, Any]) -> Iterator[Problem]:
        alive = parts["relays"]["living"]
        draining = sum(process["draining"] for process in parts["relays"]["processes"])
        if alive == 0:
            yield Problem("failing", "relays", "No relay process runs: calls are not taken.")
        elif draining == alive:
            yield Problem("failing", "relays", "Shutting down: running calls finish, new ones are refused.")
        elif alive < self._config.workers:
            yield Problem("degraded", "relays", f"{alive} of {self._config.workers} relay processes run.")
        state = self._observing.state
        if state.ledger_error is not None:
            said = (
                f"The ledger takes no records: {state.ledger_error}. Calls go on; the journal keeps them until it does."
            )
            yield Problem("failing", "ledger", said)
        if state.doing in ("starting", "waiting"):
            yield Problem("degraded", "observer", "The observer is starting; calls are kept in the journal meanwhile.")
        elif state.doing == "stopped":
            yield Problem("failing", "observer", "The observer has stopped; calls are kept in the journal.")
        elif state.lag_s() > LATE_S:
            yield Problem("degraded", "observer", f"The observer is {state.lag_s():.0f} s behind.")
        if lost := sum(state.lost.values()):
            text = f"{lost} calls were lost since this start, see sightglass_calls_lost_total; they are in no record."
            yield Problem("degraded", "journal", text)
        if parts["journal"]["writing"] == "backlog":
            why = f" ({parts['journal']['last_error']})" if parts["journal"]["last_error"] else ""
            yield Problem("degraded", "journal", f"The disk refuses or stalls{why}: records wait in memory.")
        down = [upstream for upstream in parts["upstreams"] if upstream["up"] is False]
        for upstream in down:
            text = f"The upstream {upstream['name']} at {upstream['url']} does not answer: {upstream['error']}."
            yield Problem("failing" if len(down) == len(parts["upstreams"]) else "degraded", "upstreams", text)
        for upstream in parts["upstreams"]:
            if upstream["up"] and upstream["not_ready"]:
                text = f"The upstream {upstream['name']} answers, but {upstream['not_ready']}."
                yield Problem("degraded", "upstreams", text)
            if upstream["up"] and upstream["models"]["error"]:
                text = f"The models of the upstream {upstream['name']} are not known: {upstream['models']['error']}."
                yield Problem("degraded", "upstreams", text)
        if parts["prices"]["error"]:
            yield Problem("degraded", "prices", f"The price file cannot be read: {parts['prices']['error']}.")
        yield from (Problem("degraded", "drift", text) for text in drift_problems(parts["drift"]["alarms"]))


def versions() -> dict[str, str]:
    """What is running."""
    return {
        "sightglass": __version__,
        "python": platform.python_version(),
        "aiohttp": aiohttp.__version__,
        "sqlalchemy": version("sqlalchemy"),
    }


def _worst(statuses: Iterator[Status]) -> Status:
    return max(statuses, key=_RANK.__getitem__, default="ok")


def _at(unix_s: float | None) -> str | None:
    return rfc3339(int(unix_s * 1e9)) if unix_s else None


def _errno_text(relays: list[Relay]) -> str | None:
    """The last error of a disk, of the relay that began last."""
    numbers = [relay.count(Counter.LAST_ERRNO) for relay in relays if relay.lives]
    return next((os.strerror(number) for number in reversed(numbers) if number), None)
