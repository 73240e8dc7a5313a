"""The observer and the processes themselves: how far it is, what was lost, what it takes."""

from __future__ import annotations

from typing import Final

from proxy.observe.definitions.forms import counter, gauge, words
from proxy.observe.guards import PARTS
from proxy.observe.log.outputs import OUTPUTS
from proxy.observe.shipper import REASONS

LAG_BYTES: Final = gauge("sightglass_journal_lag_bytes", "Bytes in the journal that are not in the ledger yet.")
LAG: Final = gauge(
    "sightglass_journal_lag_seconds", "Age of the oldest ended call that is not in the ledger; 0 = none waits."
)
DAMAGED: Final = counter("sightglass_damaged_frames_total", "Places in the journal that were no whole frame.")
LOST: Final = counter(
    "sightglass_calls_lost_total",
    "Calls without a record: their frame was lost (journal), could not be read (unreadable), or was never written, as"
    " their relay was killed in that moment (killed); or their record could not be stored (ledger).",
    "cause",
    known=words(("journal", "unreadable", "ledger", "killed")),
)
OBSERVER_ERRORS: Final = counter(
    "sightglass_observer_errors_total", "Faults inside the observer, by part.", "part", known=words(PARTS)
)
LEDGER_CALLS: Final = counter("sightglass_ledger_calls_total", "Calls put into the ledger.")
LEDGER_COMMITS: Final = counter("sightglass_ledger_commits_total", "Commits to the ledger.")
LEDGER_FAILURES: Final = counter(
    "sightglass_ledger_commit_failures_total", "Attempts to open the ledger or to commit that failed and were repeated."
)
LAST_COMMIT: Final = gauge("sightglass_ledger_last_commit_timestamp_seconds", "When it last took a commit, Unix time.")
LOG_LINES_LOST: Final = counter(
    "sightglass_log_lines_lost_total",
    "Lines of the log that an output did not take.",
    "output",
    known=words(OUTPUTS),
)
SPANS_SENT: Final = counter("sightglass_spans_sent_total", "Spans that the OpenTelemetry collector took.")
SPANS_DROPPED: Final = counter(
    "sightglass_spans_dropped_total",
    "Spans that were given up: too many waited (queue_full), the collector did not take them (export_failed), or we"
    " ended first (shutdown).",
    "reason",
    known=words(REASONS),
)
LABEL_SETS: Final = gauge(
    "sightglass_label_sets", "Label sets with a model or a tool; `metrics.max_series` is the most there may be."
)
OVERFLOW: Final = counter(
    "sightglass_label_overflow_total",
    "Times that a model or a tool became `other`: too many names, or too many series.",
    "cap",
    known=words(("models", "series", "tools")),
)
RESIDENT: Final = gauge("sightglass_process_resident_memory_bytes", "Memory of each process.", "process")
CPU: Final = counter("sightglass_process_cpu_seconds_total", "Time of the processor that each process used.", "process")
OPEN_FILES: Final = gauge("sightglass_process_open_fds", "Open files and connections of each process.", "process")
SCRAPE: Final = gauge("sightglass_scrape_duration_seconds", "What the scrape before this one took.")
BUILD_INFO: Final = gauge("sightglass_build_info", "Always 1; what is running.", "version", "python")
