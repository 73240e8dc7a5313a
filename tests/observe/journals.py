"""A relay's journal as tests want it: real frames in real segments, without a relay."""

from __future__ import annotations

import time
from array import array
from pathlib import Path
from typing import Any

import msgspec

from proxy.core.config import Journal
from proxy.core.exchange import Finished, Started
from proxy.journal import frames
from proxy.journal.counters import Counter
from proxy.journal.segments import journal_directory
from proxy.journal.writer import JournalWriter

REQUEST = b'{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}'
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"llama3.2","system_fingerprint":"fp_ollama",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":20,"completion_tokens":5,"total_tokens":25}}'
)
JSON_HEAD = b"Content-Type: application/json\r\n"


class FakeRelay:
    """Writes the frames of calls as a relay would, and dies when told to."""

    def __init__(self, data: Path, *, worker: int = 0) -> None:
        self.writer = JournalWriter(journal_directory(data), worker=worker, settings=Journal())
        assert self.writer.directory is not None
        self.directory = self.writer.directory
        self.name = self.directory.name
        self._dead = False

    def start(self, call_id: str, **fields: Any) -> Started:
        """A call begins."""
        started = Started(**_usual(call_id), **fields)
        self._append(frames.STARTED, call_id, started)
        self.writer.counters.words[Counter.CALLS] += 1
        return started

    def finish(
        self,
        call_id: str,
        *,
        request: bytes = REQUEST,
        answer: bytes = ANSWER,
        head: bytes = JSON_HEAD,
        request_head: bytes = JSON_HEAD,
        **fields: Any,
    ) -> None:
        """A call ends: well, unless the fields say otherwise."""
        usual: dict[str, Any] = {
            "status": 200,
            "upstream_status": 200,
            "upstream_kind": "auto",
            "attempts": 1,
            "headers_s": 0.01,
            "duration_s": 0.02,
            "overhead_s": 0.0002,
            "request_bytes": len(request),
            "response_bytes": len(answer),
        }
        pieces = array("d", [0.01]).tobytes() + array("I", [len(answer)]).tobytes() if answer else b""
        self._append(
            frames.FINISHED,
            call_id,
            Finished(**{**_usual(call_id), **usual, **fields}),
            request_head=request_head,
            request_body=request,
            answer_head=head,
            answer_body=answer,
            pieces=pieces,
        )
        self.writer.counters.words[Counter.ENDED] += 1

    def call(self, call_id: str, **fields: Any) -> None:
        """A whole call."""
        self.start(call_id)
        self.finish(call_id, **fields)

    def lose(self, *call_ids: str) -> None:
        """Say that the finished frames of these calls could not be kept."""
        self._append(frames.LOST, "", frames.Lost(call_ids=call_ids))

    def raw(self, kind: int, meta: bytes) -> None:
        """A frame whose meta is what a test says."""
        self.writer.append([(kind, "", frames.encode(kind, meta, self.writer.salt))])

    def die(self) -> None:
        """As kill -9: the kernel lets go of the lock. The dead stay dead."""
        if not self._dead:
            self._dead = True
            self.writer.close()

    def _append(self, kind: int, call_id: str, meta: msgspec.Struct, **sections: bytes) -> None:
        buffers = frames.encode(kind, msgspec.json.encode(meta), self.writer.salt, **sections)
        self.writer.append([(kind, call_id, buffers)])


def _usual(call_id: str) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "request_id": f"req-{call_id}",
        "started_unix_ns": time.time_ns(),
        "method": "POST",
        "target": "/v1/chat/completions",
        "client": "127.0.0.1",
        "model": "llama3.2",
        "upstream": "default",
    }
