"""Relays, from the counters that they share with the observer."""

from __future__ import annotations

from typing import Final

from proxy.observe.definitions.forms import counter, gauge, words

FRAME_KINDS: Final = ("started", "finished")

ACTIVE: Final = gauge("sightglass_active_calls", "Calls under way.")
CLIENTS: Final = gauge("sightglass_client_connections", "Open connections of clients.")
UPSTREAM_CONNECTIONS: Final = gauge(
    "sightglass_upstream_connections",
    "Open connections to upstreams.",
    "state",
    known=words(("busy", "idle")),
)
ACCEPTED: Final = counter("sightglass_accepted_calls_total", "Calls that the relays took, ended or not.")
RETRIES: Final = counter("sightglass_retries_total", "Requests sent again, as a kept connection proved dead.")
UNFRAMED: Final = counter(
    "sightglass_unframed_requests_total", "Requests refused before they were a call: no valid HTTP."
)
CONNECTIONS_REFUSED: Final = counter(
    "sightglass_refused_connections_total",
    "Connections closed without a word, far beyond limits.connections or limits.per_address.",
)
CLIENTS_STALLED: Final = counter(
    "sightglass_stalled_clients_total", "Clients cut off, as they took nothing of their answer for limits.send_s."
)
FRAMES: Final = counter(
    "sightglass_frames_total", "Frames that the relays put into the journal.", "kind", known=words(FRAME_KINDS)
)
FRAMES_LOST: Final = counter(
    "sightglass_frames_lost_total",
    "Frames that could not be kept: disk and memory for waiting were full.",
    "kind",
    known=words(FRAME_KINDS),
)
BACKLOG_FRAMES: Final = gauge("sightglass_journal_backlog_frames", "Frames waiting in memory for the disk.")
BACKLOG_BYTES: Final = gauge("sightglass_journal_backlog_bytes", "Bytes of frames waiting in memory for the disk.")
WRITE_ERRORS: Final = counter("sightglass_journal_write_errors_total", "Writes that the disk refused.")
WRITE_STALLS: Final = counter("sightglass_journal_write_stalls_total", "Writes that took the disk too long.")
