"""The judge: another model grades a sample of answers, asked through Sightglass itself, so that its cost is counted.

call ended ──▶ prepare (sampled?) ──▶ committed ──▶ queue (bounded) ──▶ thread: POST to our own port ──▶ told()

Off unless `quality.judge.model` is set. Texts live in the queue and nowhere else; a full queue drops, and counts.
"""

from __future__ import annotations

import http.client
import logging
import os
import queue
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Final, Literal, get_args

import orjson

from proxy.core.call import CallRecord
from proxy.core.config import Config
from proxy.observe.guards import Guards, Part
from proxy.observe.observed import Observed
from proxy.observe.quality.judging import PROMPT, TASK, Wanted, points_of, request_of
from proxy.wire.transcript import read_transcript

# What became of an answer that was to be judged.
Fate = Literal["judged", "unreadable", "failed", "dropped"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)

_WAITING: Final = 32  # answers; each holds at most what the journal kept of a call
_WAITING_CHARACTERS: Final = 20_000  # of a text that waits: judging shortens it further
_REPLY_BYTES: Final = 1024 * 1024
_HASHED: Final = 2**32

log = logging.getLogger("sightglass.observer")

# Told of each grade in [0, 1], by the observer's thread: the call that was judged, the grade.
Told = Callable[[CallRecord, float], None]


class Judge:
    """A sink of calls. `prepare` and `deliver` are the observer's thread; asking has one of its own."""

    part: Part = "judge"

    def __init__(self, config: Config, guards: Guards, *, told: Told = lambda _record, _grade: None) -> None:
        """The settings must name a judge."""
        settings = config.quality.judge
        assert settings.model is not None
        self.fates: dict[Fate, int] = dict.fromkeys(FATES, 0)
        self._model, self._settings = settings.model, settings
        self._prompt = settings.prompt or PROMPT
        self._guards, self._told = guards, told
        self._address = (_reachable(config.host), config.port)
        self._gap_s = 60.0 / settings.per_minute
        self._waiting: queue.Queue[Wanted] = queue.Queue(_WAITING)
        self._graded: queue.SimpleQueue[tuple[CallRecord, float]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="judging", daemon=True)
        self._thread.start()

    def prepare(self, observed: Observed) -> Wanted | None:
        """The answer, if it is to be judged."""
        record, meaning = observed.record, observed.meaning
        if meaning is None or not self._is_wanted(record) or not meaning.text.strip() or observed.request is None:
            return None
        return Wanted(
            record=record,
            prompt=_question(observed.request, meaning.dialect)[-_WAITING_CHARACTERS:],
            response=meaning.text[:_WAITING_CHARACTERS],
        )

    def deliver(self, prepared: Sequence[Wanted | None]) -> None:
        """Let them wait for the judge; what has no room is dropped. And tell the grades that came meanwhile.

        Each grade comes by a call of its own through us, so there is always a delivery after it.
        """
        while not self._graded.empty():
            self._told(*self._graded.get())
        for wanted in prepared:
            if wanted is None:
                continue
            try:
                self._waiting.put_nowait(wanted)
            except queue.Full:
                self.fates["dropped"] += 1

    def close(self) -> None:
        """Ask no more. What waits is dropped: a judge may take minutes, and nobody waits for it."""
        self._stop.set()

    def wait(self) -> None:
        """Until the thread is done; it may be waiting for the judge."""
        self._thread.join()

    def _is_wanted(self, record: CallRecord) -> bool:
        """By the call's id, so that the same calls are chosen after a restart."""
        if record.claimed_task == TASK or record.outcome != "ok":
            return False
        return zlib.crc32(record.call_id.encode()) < self._settings.share * _HASHED

    # -- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                wanted = self._waiting.get(timeout=0.5)
            except queue.Empty:
                continue
            begun = time.monotonic()
            self._judge(wanted)
            self._stop.wait(max(self._gap_s - (time.monotonic() - begun), 0.0))

    def _judge(self, wanted: Wanted) -> None:
        try:
            reply = self._ask(wanted)
        except Exception as error:
            self.fates["failed"] += 1
            self._guards.note("judge", error, call_id=wanted.record.call_id)
            return
        grade = points_of(reply)
        if grade is None:
            self.fates["unreadable"] += 1
            return
        self.fates["judged"] += 1
        record = wanted.record
        log.info("answer_judged", extra={"call_id": record.call_id, "model": record.model, "judge": grade})
        self._graded.put((record, grade))

    def _ask(self, wanted: Wanted) -> str:
        """The judge's words. Raises OSError, ValueError, http.client.HTTPException."""
        body = orjson.dumps(request_of(wanted, self._model, self._prompt))
        connection = http.client.HTTPConnection(*self._address, timeout=self._settings.timeout_s)
        try:
            connection.request("POST", "/v1/chat/completions", body, self._head(wanted))
            answer = connection.getresponse()
            said = answer.read(_REPLY_BYTES)
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"the judge {self._model} answered {answer.status}: {said[:200]!r}")
        content = orjson.loads(said)["choices"][0]["message"]["content"]
        return content if isinstance(content, str) else ""

    def _head(self, wanted: Wanted) -> dict[str, str]:
        head = {
            "Content-Type": "application/json",
            "User-Agent": "sightglass-judge",
            "x-sightglass-task": TASK,
            "x-sightglass-session": wanted.record.call_id,
        }
        key = os.environ.get(self._settings.key_env or "")
        if key:
            head["Authorization"] = f"Bearer {key}"
        return head


def _question(request: dict[str, object], dialect: str) -> str:
    """The last words of the user; of dialects without messages the prompt."""
    lines = read_transcript(request, dialect).lines  # type: ignore[arg-type]
    words = next((line.text for line in reversed(lines) if line.kind == "user"), None)
    prompt = request.get("prompt")
    return words if words is not None else prompt if isinstance(prompt, str) else ""


def _reachable(host: str) -> str:
    """Where we reach ourselves: an address that means all of ours is no destination."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
