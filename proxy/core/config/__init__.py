"""Every setting: type, unit, default, reason. The one schema, a file a section.

`proxy.settings` reads YAML, environment and command line against these structs (it builds its validating models
from them) and hands the result to the processes as JSON; from there on only these frozen values travel, and each
part receives its own section.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from proxy.core.config.access import Access
from proxy.core.config.keeping import Journal, Observer
from proxy.core.config.limits import Limits
from proxy.core.config.logs import Log, LogFile, LogLevels, Syslog
from proxy.core.config.objectives import Objectives
from proxy.core.config.prices import Price
from proxy.core.config.quality import Drift, Judge, Quality
from proxy.core.config.section import Port, Seconds, Section
from proxy.core.config.telemetry import MetricsCaps, Otel, Sentry
from proxy.core.config.upstreams import Upstream, UpstreamKind

__all__ = [
    "Access",
    "Config",
    "Drift",
    "Journal",
    "Judge",
    "Limits",
    "Log",
    "LogFile",
    "LogLevels",
    "MetricsCaps",
    "Objectives",
    "Observer",
    "Otel",
    "Price",
    "Quality",
    "Section",
    "Sentry",
    "Syslog",
    "Upstream",
    "UpstreamKind",
]


class Config(Section, frozen=True, kw_only=True):
    """All settings of one Sightglass."""

    upstream: Annotated[
        str,
        Meta(description="Where calls go that no named upstream takes: Ollama, LiteLLM or any OpenAI-style server."),
    ] = "http://127.0.0.1:11434"
    upstream_kind: Annotated[UpstreamKind, Meta(description="Kind of `upstream`; as `kind` of a named one.")] = "auto"
    upstreams: Annotated[
        dict[str, Upstream],
        Meta(
            description="Upstreams by name, in order. A call goes to the first whose `models` match, else to the one"
            " named `default`, else to `upstream`."
        ),
    ] = field(default_factory=dict)
    host: Annotated[str, Meta(description="Address that clients reach us at.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port that clients reach us at.")] = 11435
    console_host: Annotated[str, Meta(description="Address of the console: /metrics, /health, /ready.")] = "127.0.0.1"
    console_port: Annotated[Port, Meta(description="Port of the console.")] = 11436
    allow_public_bind: Annotated[
        bool,
        Meta(
            description="true: listen on addresses that other machines reach without asking who calls: whoever"
            " reaches the ports can use the upstream and see the console. Not needed with client keys (`sightglass keys"
            " add`) and an admin token."
        ),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="Further names that clients may call us by (* is allowed). Loopback and private addresses,"
            " localhost, the machine's own name, *.local and *.internal always pass; others are refused, so that no"
            " web page reaches us through a name of its own (DNS rebinding)."
        ),
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Further web pages that may call, by origin, such as https://chat.example.com (* is allowed)."
            " Pages of this machine, of the address that they call, and apps (app, tauri, vscode) always may; others"
            " are refused. Unset, with upstreams of kind ollama or auto only and no key of theirs set here: the"
            " upstream says who may, as Ollama does. Programs send no Origin and are not meant."
        ),
    ] = ()
    data: Annotated[str, Meta(description="Directory of journal and ledger, mode 0700.")] = "./sightglass-data"
    workers: Annotated[Annotated[int, Meta(ge=1, le=64)], Meta(description="Relay processes sharing the port.")] = 1
    inject_usage: Annotated[
        bool,
        Meta(
            description="Ask the upstream for token counts of streams whose client did not, and take the extra event"
            " out again. false: such streams have no token counts."
        ),
    ] = True
    estimate_tokens: Annotated[
        bool,
        Meta(
            description="Where nobody told or counted tokens, work them out from the text: bytes / 4. Such counts, and"
            " what they cost, are marked `estimated`. false: they are unknown."
        ),
    ] = False
    drain_s: Annotated[Seconds, Meta(description="After SIGTERM running calls get this long to finish.")] = 30.0
    access: Access = Access()
    limits: Limits = Limits()
    journal: Journal = Journal()
    observer: Observer = Observer()
    metrics: MetricsCaps = MetricsCaps()
    objectives: Objectives = Objectives()
    log: Log = Log()
    otel: Otel = Otel()
    sentry: Sentry = Sentry()
    quality: Quality = Quality()
    drift: Drift = Drift()
    prices: Annotated[
        dict[str, Price],
        Meta(description="Own prices by model name; patterns (* and ?) are allowed, the first match wins."),
    ] = field(default_factory=dict)
