"""Doctor: the conservation law. Every call that a relay took is under way, recorded, or lost by name; never twice.

taken by a relay = under way + ended
ended            = finished frames + calls lost by name          (a dead relay's others: interrupted, or killed)
records          = finished frames + interrupted - what the ledger has already or did not take
the metric grows as the ledger does
"""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.cli.doctor.counting import Look, Sight, look
from proxy.cli.doctor.findings import Finding, ok, warning, wrong
from proxy.core.config import Config
from proxy.core.errors import LedgerError
from proxy.core.tally import Tally
from proxy.journal.counters import Counter
from proxy.store.tallies import GONE

if TYPE_CHECKING:
    from proxy.store.reader import LedgerReader

_LOSS: Final = "calls were lost; sightglass_calls_lost_total and docs/keeping.md say how that comes"
_REPORT: Final = "this should not be: please report it, with the output of --json and the log"
_BETWEEN_S: Final = 1.0  # the metric's growth is watched for so long
_TRIES: Final = 20


def examine_ledger(config: Config) -> list[Finding]:
    """A finding for each relay, the ledger and the metric, and one for what was lost."""
    from proxy.store import open_reader

    data = Path(config.data)
    try:
        with open_reader(data) as ledger:
            found = look(data, ledger)
            return [
                *(_relay(sight) for sight in found.sights),
                *_former(found),
                _ledger(found),
                _metric(config, ledger),
                _lost(found),
            ]
    except (LedgerError, OSError) as error:
        return [wrong("ledger", str(error), "start `sightglass serve` with this data directory, then ask again")]


def _relay(sight: Sight) -> Finding:
    about = f"relay {sight.name.split('-')[0]}"
    taken, ended = sight.count(Counter.CALLS), sight.count(Counter.ENDED)
    if not sight.lives:
        said = (
            f"{sight.name} is dead; the observer has still to read it: {taken} calls taken, {sight.told} told by frames"
        )
        return warning(about, said, "wait a moment; if it stays so, see whether the observer runs (/health)")
    said = f"{taken} calls taken = {taken - ended} under way + {ended} ended"
    if sight.tally.seen < 0:
        return ok(about, f"{said}; it began before this ledger, so its former calls are not counted here")
    frames_told = sight.tally.finished + sight.unread.finished
    said += f"; {ended} ended = {frames_told} finished frames ({sight.unread.finished} not read yet)"
    named = sight.tally.lost + sight.unread.lost
    waiting = min(max(sight.missing, 0), sight.count(Counter.BACKLOG_FRAMES))
    for count, what in ((named, "lost by name"), (sight.unnamed, "lost"), (waiting, "waiting in memory")):
        said += f" + {count} {what}" if count else ""
    missing = sight.missing - waiting
    if 0 <= missing <= sight.uncertain:
        return ok(about, said + (f" (+- {sight.uncertain}: calls ended meanwhile)" if sight.uncertain else ""))
    if missing < 0:
        return wrong(about, f"{said}: {-missing} more than ended", _REPORT)
    todo = "damaged frames are in /health (journal); their calls become `interrupted` when the relay ends"
    return wrong(about, f"{said}: {missing} are missing", todo)


def _former(found: Look) -> list[Finding]:
    gone = found.account.tallies.get(GONE)
    if gone is None:
        return []
    said = f"{gone.seen} calls taken = {gone.finished} finished frames + {gone.interrupted} interrupted"
    for count, what in ((gone.lost, "lost by name"), (found.account.killed, "killed before any frame was written")):
        said += f" + {count} {what}" if count else ""
    return [ok("former relays", said)]


def _ledger(found: Look) -> Finding:
    account = found.account
    total = Tally()
    for tally in account.tallies.values():
        total.finished += tally.finished - tally.unreadable
        total.interrupted += tally.interrupted
    said = f"{account.records} records = {total.finished} finished frames + {total.interrupted} interrupted"
    for count, what in ((account.repeated, "read again"), (account.refused, "not taken by the database")):
        said += f" - {count} {what}" if count else ""
    off = account.records - (total.finished + total.interrupted - account.repeated - account.refused)
    if off:
        return wrong("ledger", f"{said}: off by {off}", "were records deleted by hand? Else " + _REPORT)
    return ok("ledger", said)


def _metric(config: Config, ledger: LedgerReader) -> Finding:
    url = f"http://{config.console_host}:{config.console_port}/metrics"
    try:
        first_records, first = _both(url, ledger)
        time.sleep(_BETWEEN_S)
        records, value = _both(url, ledger)
    except (OSError, ValueError) as error:
        return warning("metric", f"{url} could not be asked ({error})", "is it serving, and are metrics open to you?")
    grown, metric_grown = records - first_records, value - first
    said = f"sightglass_calls_total {value:.0f}, grew by {metric_grown:.0f} while the ledger grew by {grown}"
    if metric_grown < 0:
        return warning("metric", f"{said}: the observer was started anew meanwhile", "ask again")
    return ok("metric", said) if metric_grown == grown else wrong("metric", said, _REPORT)


def _both(url: str, ledger: LedgerReader) -> tuple[int, float]:
    """Records and metric of one moment: the metric follows a commit within milliseconds, so the closest pair counts."""
    pairs = []
    for _ in range(_TRIES):
        records = ledger.account().records
        value = _scraped(url)
        if ledger.account().records == records:
            pairs.append((records - value, records, value))
            if len(pairs) == 3:
                break
        time.sleep(_BETWEEN_S / _TRIES)
    if not pairs:
        raise ValueError("the ledger did not rest for a moment")
    _, records, value = min(pairs)
    return records, value


def _scraped(url: str) -> float:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - always http, to our own console
        lines = answer.read().decode().splitlines()
    name = "sightglass_calls_total"
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + "{", name + " ")))


def _lost(found: Look) -> Finding:
    account = found.account
    causes = {
        "journal": sum(tally.lost for tally in account.tallies.values())
        + sum(s.unread.lost + s.unnamed for s in found.sights),
        "unreadable": sum(tally.unreadable for tally in account.tallies.values()),
        "killed": account.killed,
        "ledger": account.refused,
    }
    lost = {cause: count for cause, count in causes.items() if count}
    if lost:
        said = ", ".join(f"{count} {cause}" for cause, count in lost.items())
        return warning("lost", f"{sum(lost.values())} by name: {said}", _LOSS)
    return ok("lost", "none")
