"""All outputs of the log. What goes in goes to each; what one does not take is that one's loss, counted by its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, get_args

from proxy.core.config import Log
from proxy.core.otel import Destination
from proxy.observe.log.line import Line
from proxy.observe.shipper import Pace, Send, Shipper

OutputName = Literal["stdout", "file", "syslog", "otlp"]
OUTPUTS: Final[tuple[OutputName, ...]] = get_args(OutputName)
# Waiting lines of one output; at 1 KB a line that is 20 MB, of which the shipper keeps 16.
PACE: Final = Pace(queue=20_000, batch=500, delay_s=0.0)


class LogOutputs:
    """The outputs that are on."""

    def __init__(self, settings: Log, *, fd: int = 1, otlp: Callable[[], Send[Line]] | None = None) -> None:
        """fd: standard output. otlp: leads to the collector; None = no lines go there."""
        self._outputs: dict[OutputName, Shipper[Line]] = {}
        if settings.stdout:
            from proxy.observe.log.standard import to_descriptor

            self._add("stdout", lambda: to_descriptor(fd))
        if settings.file.directory is not None:
            from proxy.observe.log.files import to_files

            self._add("file", lambda: to_files(settings.file))
        if settings.syslog.address is not None:
            from proxy.observe.log.syslog import SyslogSender

            self._add("syslog", lambda: SyslogSender(settings.syslog))
        if otlp is not None:
            self._add("otlp", otlp)

    @property
    def lost(self) -> Mapping[OutputName, int]:
        """Lines that were not written, by output."""
        found: dict[OutputName, int] = dict.fromkeys(OUTPUTS, 0)
        return found | {name: output.lost for name, output in self._outputs.items()}

    @property
    def waiting(self) -> int:
        """Lines on their way, over all outputs."""
        return sum(output.waiting for output in self._outputs.values())

    def put(self, lines: Sequence[Line], *, but: OutputName | None = None) -> None:
        """Hand lines to all outputs, save one. From any thread; returns at once."""
        entries = [(1, len(line.text), line) for line in lines]
        for name, output in self._outputs.items():
            if name != but:
                output.put_all(entries)

    def close(self, *, patience_s: float = 1.0) -> None:
        """Write what waits, for at most that long."""
        for output in self._outputs.values():
            output.finish(patience_s=patience_s)
        for output in self._outputs.values():
            output.wait()

    def _add(self, name: OutputName, connect: Callable[[], Send[Line]]) -> None:
        pace = PACE
        if name == "otlp":
            from proxy.observe.shipper import pace_of

            pace = pace_of(os.environ, "OTEL_BLRP")
        self._outputs[name] = Shipper(f"log lines to {name}", connect, pace)


def otlp_output(destination: Destination | None) -> Callable[[], Send[Line]] | None:
    """Leads to the collector of that destination; None = none is set."""
    if destination is None:
        return None

    def connect() -> Send[Line]:
        from proxy.observe.otlp.log_exporter import connect as to_collector

        return to_collector(destination)

    return connect
