"""The log and its outputs."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from proxy.core.config.section import Bytes, Days, Level, Section


class LogLevels(Section, frozen=True, kw_only=True):
    """Levels by component. Unset: log.level."""

    calls: Annotated[
        Level | None, Meta(description="The call log. warning: only calls that failed by the service's fault.")
    ] = None
    relay: Annotated[Level | None, Meta(description="The relay processes.")] = None
    observer: Annotated[Level | None, Meta(description="The observer process.")] = None


class LogFile(Section, frozen=True, kw_only=True):
    """Log files: one for each level, rotated by size and by day, kept for as long as its level says."""

    directory: Annotated[str | None, Meta(description="Where they lie; made if missing. Unset: no files.")] = None
    max_bytes: Annotated[
        Annotated[int, Meta(ge=4096)], Meta(description="A file this long is closed and a new one begun.")
    ] = 100 * 1024 * 1024
    keep_bytes: Annotated[
        Bytes, Meta(description="Of closed files of one level; beyond that the oldest are deleted.")
    ] = 1024 * 1024 * 1024
    debug_days: Annotated[Days, Meta(description="How long closed files of level debug are kept.")] = 1
    info_days: Annotated[Days, Meta(description="The same of info: one line a call.")] = 14
    warning_days: Annotated[Days, Meta(description="The same of warning.")] = 60
    error_days: Annotated[Days, Meta(description="The same of error.")] = 180


class Syslog(Section, frozen=True, kw_only=True):
    """Syslog, RFC 5424."""

    address: Annotated[
        str | None,
        Meta(description="unix:/dev/log, udp://host:514 or tcp://host:601 (octet-counted). Unset: nothing goes there."),
    ] = None
    facility: Annotated[
        Literal["user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
        Meta(description="What kind of program we are there."),
    ] = "local0"
    app_name: Annotated[str, Meta(description="Our name there.")] = "sightglass"


class Log(Section, frozen=True, kw_only=True):
    """The JSON log: one line a call, and troubles. Never content, keys or query strings."""

    level: Annotated[Level, Meta(description="info: one line a call. warning: troubles only.")] = "info"
    levels: LogLevels = LogLevels()
    stdout: Annotated[bool, Meta(description="The call log goes to standard output.")] = True
    file: LogFile = LogFile()
    syslog: Syslog = Syslog()
