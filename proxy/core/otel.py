"""What of OpenTelemetry is on, by the settings and by the standard OTEL_* variables. Pure; the one reader of both.

A setting of ours wins over a variable; OTEL_SDK_DISABLED wins over all. Relay and observer both ask here, so that
the one never makes ids that the other has no spans for. What only an exporter wants to know (headers, compression,
time limits, certificates) the SDK reads itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeVar, get_args

import msgspec

if TYPE_CHECKING:
    from proxy.core.config import Otel

SamplerName = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
Protocol = Literal["http/protobuf", "grpc"]
Signal = Literal["traces", "metrics", "logs"]

SAMPLERS: Final[tuple[SamplerName, ...]] = get_args(SamplerName)
PROTOCOLS: Final[tuple[Protocol, ...]] = get_args(Protocol)
_USUAL_SAMPLER: Final[SamplerName] = "parentbased_always_on"
_Word = TypeVar("_Word", bound=str)


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """Where one signal goes."""

    endpoint: str | None  # as the exporter takes it; None = the exporter reads it from the environment
    protocol: Protocol


class Telemetry(msgspec.Struct, frozen=True, kw_only=True):
    """What is on. None = that signal is off."""

    traces: Destination | None = None
    metrics: Destination | None = None
    logs: Destination | None = None
    sampler: SamplerName = _USUAL_SAMPLER
    ratio: float = 1.0
    propagates: bool = True  # traceparent is taken in and handed on
    content: bool = False
    complaints: tuple[str, ...] = ()  # variables whose value we cannot follow

    @property
    def any(self) -> bool:
        """Whether anything is on."""
        return not (self.traces is self.metrics is self.logs is None)


def telemetry_of(settings: Otel, environ: Mapping[str, str]) -> Telemetry:
    """What is on."""
    if _truth(environ, "OTEL_SDK_DISABLED"):
        return Telemetry()
    complaints: list[str] = []
    sampler = settings.sampler or _word(environ, "OTEL_TRACES_SAMPLER", SAMPLERS, complaints) or _USUAL_SAMPLER
    ratio = settings.sampler_ratio
    propagators = _said(environ, "OTEL_PROPAGATORS")
    return Telemetry(
        traces=_destination("traces", settings, environ, complaints, wanted=settings.traces),
        metrics=_destination("metrics", settings, environ, complaints, wanted=settings.metrics),
        logs=_destination("logs", settings, environ, complaints, wanted=settings.logs),
        sampler=sampler,
        ratio=ratio if ratio is not None else _ratio(environ, complaints),
        propagates=propagators is None or "tracecontext" in [word.strip() for word in propagators.split(",")],
        content=settings.content or _content(environ),
        complaints=tuple(complaints),
    )


def _destination(
    signal: Signal, settings: Otel, environ: Mapping[str, str], complaints: list[str], *, wanted: bool | None
) -> Destination | None:
    """Where the signal goes. wanted: None = what the environment says, for traces yes and for the others no."""
    capitals = signal.upper()
    exporters = _said(environ, f"OTEL_{capitals}_EXPORTER")
    if wanted is None:
        wanted = signal == "traces" if exporters is None else "otlp" in [word.strip() for word in exporters.split(",")]
    if not wanted:
        return None
    own = _said(environ, f"OTEL_EXPORTER_OTLP_{capitals}_ENDPOINT")
    if settings.endpoint is None and own is None and _said(environ, "OTEL_EXPORTER_OTLP_ENDPOINT") is None:
        return None
    protocol = (
        settings.protocol
        or _word(environ, f"OTEL_EXPORTER_OTLP_{capitals}_PROTOCOL", PROTOCOLS, complaints)
        or _word(environ, "OTEL_EXPORTER_OTLP_PROTOCOL", PROTOCOLS, complaints)
        or PROTOCOLS[0]
    )
    endpoint = settings.endpoint
    if endpoint is not None and protocol == "http/protobuf":
        endpoint = f"{endpoint.rstrip('/')}/v1/{signal}"
    return Destination(endpoint=endpoint, protocol=protocol)


def _content(environ: Mapping[str, str]) -> bool:
    """Whether spans carry what was said; the values are those of opentelemetry-util-genai, and plain true."""
    said = _said(environ, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")
    return said is not None and said.upper() in ("SPAN_ONLY", "SPAN_AND_EVENT", "TRUE")


def _ratio(environ: Mapping[str, str], complaints: list[str]) -> float:
    said = _said(environ, "OTEL_TRACES_SAMPLER_ARG")
    if said is None:
        return 1.0
    try:
        ratio = float(said)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        complaints.append("OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1; 1 is taken")
        return 1.0
    return ratio


def _word(environ: Mapping[str, str], name: str, words: tuple[_Word, ...], complaints: list[str]) -> _Word | None:
    said = _said(environ, name)
    if said is None:
        return None
    for word in words:
        if word == said.lower():
            return word
    complaint = f"{name}: expected {' or '.join(words)}; it is not heeded"
    if complaint not in complaints:
        complaints.append(complaint)
    return None


def _truth(environ: Mapping[str, str], name: str) -> bool:
    return (_said(environ, name) or "").lower() == "true"


def _said(environ: Mapping[str, str], name: str) -> str | None:
    """The variable's value; None = unset or empty, which the specification takes for the same."""
    return environ.get(name, "").strip() or None
