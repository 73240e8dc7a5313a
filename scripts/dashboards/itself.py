"""Sightglass itself: does it keep everything, does it keep up, what does it take."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.panel import JOB, PACE, RED, YELLOW, Page, Panel, Query, Row, quantiles, rate

_LOST = f"sum(increase(sightglass_calls_lost_total{{{JOB}}}[$__range]))"
_FAULTS = f"sum(increase(sightglass_observer_errors_total{{{JOB}}}[$__range]))"

ITSELF: Final = Page(
    "sightglass-itself",
    "Sightglass: itself",
    "Journal, ledger, processes and exporters of Sightglass.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Records lost",
                    "Calls without a record within the time that is looked at.",
                    "short",
                    (Query(_LOST, "calls"),),
                    "number",
                    4,
                    ((1, RED),),
                ),
                Panel(
                    "Faults of the observer",
                    "Within the time that is looked at; no client notices them.",
                    "short",
                    (Query(_FAULTS, "faults"),),
                    "number",
                    4,
                    ((1, YELLOW),),
                ),
                Panel(
                    "Behind",
                    "Age of the oldest ended call that is not in the ledger.",
                    "s",
                    (Query(f"max(sightglass_journal_lag_seconds{{{JOB}}})", "behind"),),
                    "number",
                    4,
                    ((5, YELLOW), (60, RED)),
                ),
                Panel(
                    "Memory",
                    "Of all processes.",
                    "bytes",
                    (Query(f"sum(sightglass_process_resident_memory_bytes{{{JOB}}})", "memory"),),
                    "number",
                    4,
                ),
                Panel(
                    "Label sets",
                    "With a model or a tool; metrics.max_series is the most there may be.",
                    "short",
                    (Query(f"sum(sightglass_label_sets{{{JOB}}})", "sets"),),
                    "number",
                    4,
                ),
                Panel(
                    "Version",
                    "What runs.",
                    "short",
                    (Query(f"count by (version) (sightglass_build_info{{{JOB}}})", "{{version}}"),),
                    "number",
                    4,
                ),
            ),
        ),
        Row(
            "Journal and ledger",
            (
                Panel(
                    "Unread in the journal",
                    "Bytes that are not in the ledger yet.",
                    "bytes",
                    (Query(f"sum(sightglass_journal_lag_bytes{{{JOB}}})", "bytes"),),
                ),
                Panel(
                    "Behind",
                    "Age of the oldest ended call that is not in the ledger.",
                    "s",
                    (Query(f"max(sightglass_journal_lag_seconds{{{JOB}}})", "seconds"),),
                ),
                Panel(
                    "Waiting in memory",
                    "Frames that the disk does not take at once.",
                    "bytes",
                    (Query(f"sum(sightglass_journal_backlog_bytes{{{JOB}}})", "bytes"),),
                ),
                Panel(
                    "Calls taken, calls kept",
                    "They part when records are lost or late.",
                    "reqps",
                    (
                        rate("sightglass_accepted_calls_total", JOB, legend="taken"),
                        rate("sightglass_ledger_calls_total", JOB, legend="kept"),
                    ),
                ),
                Panel(
                    "Trouble with disk and ledger",
                    "Writes refused, writes that took too long, commits repeated.",
                    "short",
                    (
                        rate("sightglass_journal_write_errors_total", JOB, legend="refused"),
                        rate("sightglass_journal_write_stalls_total", JOB, legend="slow"),
                        rate("sightglass_ledger_commit_failures_total", JOB, legend="commits repeated"),
                    ),
                ),
                Panel(
                    "Lost",
                    "Frames, records, damaged places, lines of the log.",
                    "short",
                    (
                        rate("sightglass_frames_lost_total", JOB, legend="frames"),
                        rate("sightglass_calls_lost_total", JOB, legend="records"),
                        rate("sightglass_damaged_frames_total", JOB, legend="damaged places"),
                        rate("sightglass_log_lines_lost_total", JOB, legend="lines of the log"),
                    ),
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Processor",
                    "1: one core is busy.",
                    "percentunit",
                    (rate("sightglass_process_cpu_seconds_total", JOB, "process"),),
                    "stacked",
                ),
                Panel(
                    "Memory",
                    "Resident, by process.",
                    "bytes",
                    (Query(f"sum by (process) (sightglass_process_resident_memory_bytes{{{JOB}}})", "{{process}}"),),
                    "stacked",
                ),
                Panel(
                    "Open files",
                    "And connections, by process.",
                    "short",
                    (Query(f"sum by (process) (sightglass_process_open_fds{{{JOB}}})", "{{process}}"),),
                ),
                Panel(
                    "Connections of clients",
                    "Open now.",
                    "short",
                    (Query(f"sum(sightglass_client_connections{{{JOB}}})", "connections"),),
                ),
                Panel(
                    "Our own part of a call",
                    "Neither client nor connecting nor upstream.",
                    "s",
                    quantiles("sightglass_relay_overhead_seconds", JOB),
                ),
                Panel(
                    "Scrape",
                    "What the scrape before took the observer; no call waits for it.",
                    "s",
                    (Query(f"max(sightglass_scrape_duration_seconds{{{JOB}}})", "rendering"),),
                ),
            ),
        ),
        Row(
            "Observer and exporters",
            (
                Panel(
                    "Faults by part",
                    "Parts of the observer that failed on calls.",
                    "short",
                    (
                        Query(
                            f"sum by (part) (rate(sightglass_observer_errors_total{{{JOB}}}[{PACE}])) > 0", "{{part}}"
                        ),
                    ),
                    none="no faults",
                    needs="faults",
                ),
                Panel(
                    "Spans",
                    "To the OpenTelemetry collector.",
                    "short",
                    (
                        rate("sightglass_spans_sent_total", JOB, legend="sent"),
                        rate("sightglass_spans_dropped_total", JOB, legend="dropped"),
                    ),
                ),
                Panel(
                    "Names beyond the caps",
                    "Models, tools and label sets that became `other`.",
                    "short",
                    (rate("sightglass_label_overflow_total", JOB, "cap"),),
                ),
            ),
        ),
    ),
)
