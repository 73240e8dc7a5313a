"""Known: what the ledger's events say of each lane. Detector, `drift status` and console all read it so. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.core.event import Event


class Known(msgspec.Struct):
    """One lane."""

    since: int = 0  # seq behind which its baseline is learned: it was accepted there
    version: int = 1
    levels: dict[int, float] = {}  # seq at which a baseline was told -> level of evidence
    learned: bool = False  # the baseline of that version was told
    told: int = 0  # version of the last baseline that was told; 0 = none was
    ended: int | None = None  # seq at which its first alarm ended its growth
    swings: int = 0  # alarms of its prompts that came and went
    standing: dict[str, Event] = {}  # subject -> alarm that was raised and is not over
    answers_of: tuple[str | None, ...] = ()  # route, model and upstream

    def take(self, event: Event) -> None:
        """One more of its events, in order."""
        subject, seq, level = (event.details.get(name) for name in ("subject", "seq", "level"))
        if event.kind == "drift_accepted" and isinstance(seq, int):
            self.since, self.version, self.standing, self.learned = seq, self.version + 1, {}, False
            self.ended, self.swings = None, 0
        elif event.kind == "drift_baseline":
            self.learned, self.told = True, self.version
            if isinstance(seq, int) and isinstance(level, int | float):
                self.levels[seq] = float(level)
        elif event.kind == "drift_raised" and isinstance(subject, str):
            self.standing[subject] = event
            if self.ended is None and isinstance(seq, int):
                self.ended = seq
        elif event.kind == "drift_recovered" and isinstance(subject, str):
            self.standing.pop(subject, None)
            self.swings += subject == "input"


class KnownLanes:
    """All lanes, by number."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._lanes: dict[int, Known] = {}
        for event in events:
            self.take(event)

    def of(self, number: int) -> Known:
        """What is known of that lane; of a new one, nothing."""
        return self._lanes.setdefault(number, Known())

    def take(self, event: Event) -> list[int]:
        """One more event, in order. Gives the lanes whose alarms it ended: another digest has taken their place."""
        number = lane_of(event)
        if number is None:
            return []
        known = self.of(number)
        known.take(event)
        known.answers_of = (_text(event.details.get("route")), event.model, event.upstream)
        if event.kind != "drift_baseline":
            return []
        others = [
            other
            for other, their in self._lanes.items()
            if other != number and their.standing and their.answers_of == known.answers_of
        ]
        for other in others:
            self._lanes[other].standing = {}
        return others

    def numbered(self, event: Event) -> None:
        """An event that was taken before the ledger gave it its id."""
        number, subject = lane_of(event), event.details.get("subject")
        if event.kind == "drift_raised" and number is not None and subject in (standing := self.of(number).standing):
            standing[subject] = event

    def alarms(self) -> list[Event]:
        """All that stand, oldest first."""
        found = [event for known in list(self._lanes.values()) for event in list(known.standing.values())]
        return sorted(found, key=lambda event: event.event_id)


def lane_of(event: Event) -> int | None:
    """The number of the lane that an event is of."""
    lane = event.details.get("lane")
    return int(lane) if isinstance(lane, str) and lane.isdecimal() else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
