"""Every setting: type, unit, default, reason. The one schema.

`proxy.settings` reads YAML, environment and command line against these structs (it builds its validating models
from them) and hands the result to the processes as JSON; from there on only these frozen values travel, and each
part receives its own section.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.core.otel import Protocol, SamplerName

UpstreamKind = Literal["auto", "ollama", "litellm", "openai"]

Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Bytes = Annotated[int, Meta(ge=0)]
Level = Literal["debug", "info", "warning", "error"]
Days = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all sections, so that one rule serves all."""


class Upstream(Section, frozen=True, kw_only=True):
    """One server that calls can go to."""

    url: Annotated[str, Meta(description="Base address, http:// or https://, without the /v1.")]
    kind: Annotated[
        UpstreamKind,
        Meta(
            description="What answers there. It decides what is polled, which prices apply (Ollama: only your own) and"
            " how long an idle connection is kept. auto: found out from what it answers."
        ),
    ] = "auto"
    models: Annotated[
        tuple[str, ...],
        Meta(description="Patterns (* and ?) of the models it serves. The first upstream that matches takes the call."),
    ] = ()
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable with its key. The key replaces the client's, which never travels on."),
    ] = None
    key_file: Annotated[str | None, Meta(description="File with its key, when it is not in the environment.")] = None
    connect_s: Annotated[Seconds | None, Meta(description="Own value for limits.connect_s.")] = None
    first_byte_s: Annotated[Seconds | None, Meta(description="Own value for limits.first_byte_s.")] = None
    between_bytes_s: Annotated[Seconds | None, Meta(description="Own value for limits.between_bytes_s.")] = None
    keep_idle_s: Annotated[
        Seconds | None,
        Meta(
            description="How long an unused connection is kept; must be below the server's own limit."
            " Unset: 60 for Ollama, which has no limit, else 4, as uvicorn (LiteLLM) closes after 5."
        ),
    ] = None


class Limits(Section, frozen=True, kw_only=True):
    """How long we wait and how much we take."""

    connect_s: Annotated[Seconds, Meta(description="Longest wait for a connection to the upstream.")] = 5.0
    first_byte_s: Annotated[
        Seconds, Meta(description="Longest wait for the first byte of an answer; a cold 70B load took 140 s.")
    ] = 600.0
    between_bytes_s: Annotated[Seconds, Meta(description="Longest silence inside an answer.")] = 300.0
    head_s: Annotated[
        Seconds,
        Meta(
            description="A request's head must be whole this long after its first byte, and on a new connection after"
            " it was opened, however it trickles in (slowloris); else 408. Heads fit one packet: 10 s is patient."
        ),
    ] = 10.0
    body_s: Annotated[
        Seconds,
        Meta(
            description="Longest time in all spent waiting for the body of one request; else 408. 64 MiB at 2 Mbit/s"
            " take 270 s. Only the longest silence in model files for Ollama (/api/blobs), which have no such end."
        ),
    ] = 300.0
    idle_s: Annotated[Seconds, Meta(description="How long a client's unused connection is kept.")] = 75.0
    send_s: Annotated[
        Seconds,
        Meta(
            description="A client that takes nothing for so long of an answer that waits for it is cut off, as it holds"
            " a slot of the upstream. nginx waits 60 s too. Slow readers that take a little now and then are not cut."
        ),
    ] = 60.0
    head_bytes: Annotated[
        Annotated[int, Meta(ge=1024)],
        Meta(description="Longest head of a request, its first line included; else 431 or 414. nginx allows 32 KiB."),
    ] = 32 * 1024
    head_fields: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Most fields in a request's head; else 431. Envoy allows 100, too."),
    ] = 100
    body_bytes: Annotated[
        Bytes,
        Meta(
            description="Longest body of a request; else 413. JSON bodies are held in memory until their model is read."
            " Model files for Ollama (/api/blobs) stream and may be longer."
        ),
    ] = 64 * 1024 * 1024
    connections: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most client connections of one relay process; a request beyond gets 503. Each needs two file"
            " descriptors and some 20 KiB."
        ),
    ] = 4096
    per_address: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most connections from one client address, of one relay process; a request beyond gets 429. A"
            " reverse proxy in front is one address."
        ),
    ] = 2048
    calls_per_client: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most calls (streams or not) that one client address may have under way, of one relay process;"
            " beyond 429."
        ),
    ] = 2048
    memory_bytes: Annotated[
        Bytes,
        Meta(
            description="Memory of one relay process beyond which new calls get 503 with Retry-After while running ones"
            " go on. 16 held bodies of 64 MiB, or 2000 streams with half a MiB kept for the ledger. 0: no mark."
        ),
    ] = 1024 * 1024 * 1024


class Journal(Section, frozen=True, kw_only=True):
    """The spine between relays and observer: what is kept of each call until the observer has read it."""

    request_bytes: Annotated[Bytes, Meta(description="First bytes of a request's body kept to look at.")] = 1024 * 1024
    answer_bytes: Annotated[
        Bytes,
        Meta(description="Bytes of an answer kept to look at: three quarters from its begin, the rest from its end."),
    ] = 4 * 1024 * 1024
    segment_bytes: Annotated[
        Annotated[int, Meta(ge=4096)], Meta(description="A segment file this long is closed and a new one begun.")
    ] = 32 * 1024 * 1024
    max_bytes: Annotated[
        Annotated[int, Meta(ge=4096)],
        Meta(description="Unread bytes on disk, per relay, beyond which new frames are counted as lost, not kept."),
    ] = 2 * 1024 * 1024 * 1024
    backlog_bytes: Annotated[
        Bytes, Meta(description="Frames kept in memory, per relay, while the disk refuses them or stalls.")
    ] = 32 * 1024 * 1024
    fsync: Annotated[
        bool, Meta(description="true: survive power loss, not only kill -9. Each call then waits for the disk.")
    ] = False


class Observer(Section, frozen=True, kw_only=True):
    """Pace of the observer."""

    linger_s: Annotated[
        Seconds, Meta(description="Frames are gathered this long for one commit; the ledger lags by about as much.")
    ] = 0.2
    batch_calls: Annotated[Annotated[int, Meta(ge=1)], Meta(description="A commit holds at most this many calls.")] = (
        500
    )
    probe_s: Annotated[
        Seconds, Meta(description="How often the upstream's free health path is asked. Never loads a model.")
    ] = 10.0
    models_s: Annotated[
        Seconds,
        Meta(
            description="How often an Ollama is asked which models it has and has loaded, a LiteLLM whether it is"
            " ready. Never loads a model. A call that shows something new makes it look at once."
        ),
    ] = 30.0
    baggage: Annotated[
        bool,
        Meta(
            description="true: take user, session, team, project and task from W3C baggage too, where no header of ours"
            " says them. Off by default, as tracing tools put there what they like."
        ),
    ] = False


class MetricsCaps(Section, frozen=True, kw_only=True):
    """How many series metrics may have, whatever names clients send."""

    max_series: Annotated[
        Annotated[int, Meta(ge=100, le=100_000)],
        Meta(
            description="Label sets with a model or a tool, all metrics together; what is beyond is `other`."
            " A histogram has about 20 lines for each."
        ),
    ] = 2000
    max_models: Annotated[
        Annotated[int, Meta(ge=1, le=10_000)],
        Meta(description="Models with a label of their own, first come; the others are `other`."),
    ] = 200


class Access(Section, frozen=True, kw_only=True):
    """Who may do what; docs/access.md has the whole of it."""

    client_keys: Annotated[
        Literal["auto", "required"],
        Meta(
            description="auto: calls need a key once one was made by `sightglass keys add`, revoked or not."
            " required: always, so that nobody calls before there is one."
        ),
    ] = "auto"
    console_login: Annotated[
        Literal["auto", "required"],
        Meta(
            description="auto: the console asks for the admin token once other machines reach it. required: always,"
            " for machines that several people work on."
        ),
    ] = "auto"
    token_env: Annotated[
        str | None,
        Meta(
            description="Environment variable with the admin token. Unset: one is made at the first start and kept in"
            " the data directory, in `admin-token`, mode 0600."
        ),
    ] = None
    token_file: Annotated[str | None, Meta(description="File with the admin token, such as a mounted secret.")] = None
    ollama_management: Annotated[
        Literal["auto", "open", "closed"],
        Meta(
            description="Ollama's paths that change the server: /api/create, pull, push, copy, delete, blobs, signout,"
            " user. auto: open on loopback, closed once other machines reach us."
        ),
    ] = "auto"


class Objectives(Section, frozen=True, kw_only=True):
    """What the service shall hold. `sightglass rules` makes alert rules for Prometheus of it."""

    availability: Annotated[
        Share,
        Meta(
            description="Share of calls, over 30 days, that may not fail. What clients got wrong, what we refused and"
            " calls that clients left do not count."
        ),
    ] = 0.99
    first_token_s: Annotated[
        Seconds, Meta(description="The first token shall be there by then; a bound of the histogram's buckets.")
    ] = 10.0
    first_token_share: Annotated[Share, Meta(description="Share of answers that shall keep to it.")] = 0.95
    duration_s: Annotated[
        Seconds, Meta(description="A call shall be over by then; a bound of the histogram's buckets.")
    ] = 120.0
    duration_share: Annotated[Share, Meta(description="Share of calls that shall keep to it.")] = 0.95
    min_calls: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="With fewer calls in an alert's long window it is silent: one slow call at night wakes nobody."
        ),
    ] = 20
    upstream_down_s: Annotated[Seconds, Meta(description="An upstream may be mute this long.")] = 60.0
    models_loaded: Annotated[
        tuple[str, ...], Meta(description="Models that some Ollama shall have in memory at all times.")
    ] = ()
    journal_lag_s: Annotated[Seconds, Meta(description="The ledger may be this far behind.")] = 60.0
    cost_per_day_usd: Annotated[
        Annotated[float, Meta(gt=0)] | None, Meta(description="What 24 hours may cost. Unset: no alert.")
    ] = None
    budget_usd_per_month: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        Meta(description="What 30 days may cost, at the pace of the last 7. Unset: no alert."),
    ] = None
    runbook_url: Annotated[
        str, Meta(description="Where people find docs/runbook.md; alerts name it with their section.")
    ] = "docs/runbook.md"


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


class Otel(Section, frozen=True, kw_only=True):
    """OpenTelemetry by OTLP. Off until an endpoint is set, here or by OTEL_EXPORTER_OTLP_ENDPOINT."""

    endpoint: Annotated[
        str | None,
        Meta(
            description="Base address of the receiver, as http://127.0.0.1:4318 (http) or http://127.0.0.1:4317 (grpc)."
            " Keys go into OTEL_EXPORTER_OTLP_HEADERS."
        ),
    ] = None
    protocol: Annotated[
        Protocol | None, Meta(description="Unset: OTEL_EXPORTER_OTLP_PROTOCOL, else http/protobuf.")
    ] = None
    traces: Annotated[
        bool | None, Meta(description="Two spans a call. Unset: on, but with OTEL_TRACES_EXPORTER=none.")
    ] = None
    metrics: Annotated[
        bool | None,
        Meta(description="The GenAI histograms by OTLP, beside /metrics. Unset: with OTEL_METRICS_EXPORTER=otlp."),
    ] = None
    logs: Annotated[
        bool | None, Meta(description="The log lines by OTLP, too. Unset: with OTEL_LOGS_EXPORTER=otlp.")
    ] = None
    sampler: Annotated[
        SamplerName | None,
        Meta(
            description="Which traces are sent. Unset: OTEL_TRACES_SAMPLER, else parentbased_always_on. A parentbased_"
            " one lets the client decide; the others do not ask it."
        ),
    ] = None
    sampler_ratio: Annotated[
        Annotated[float, Meta(ge=0, le=1)] | None,
        Meta(description="Share of traces, for samplers with a ratio. Unset: OTEL_TRACES_SAMPLER_ARG, else 1."),
    ] = None
    content: Annotated[
        bool,
        Meta(
            description="true: spans carry what was asked and answered. Also by"
            " OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY."
        ),
    ] = False
    content_bytes: Annotated[Bytes, Meta(description="Longest text of one content attribute; longer ones are cut.")] = (
        16 * 1024
    )


class Judge(Section, frozen=True, kw_only=True):
    """Another model that grades a sample of answers. Off until a model is named; its calls cost what calls cost."""

    model: Annotated[
        str | None, Meta(description="Model that judges, as clients would ask for it here. Unset: nobody judges.")
    ] = None
    share: Annotated[Annotated[float, Meta(ge=0, le=1)], Meta(description="Share of good answers that are judged.")] = (
        0.02
    )
    per_minute: Annotated[
        Annotated[float, Meta(gt=0, le=600)],
        Meta(description="Most calls to the judge; one at a time. 32 answers wait, what comes then is dropped."),
    ] = 6.0
    timeout_s: Annotated[Seconds, Meta(description="Longest wait for the judge.")] = 60.0
    prompt: Annotated[
        str | None,
        Meta(
            description="What the judge is told, with {prompt} and {response} in it; it must reply with a number from 0"
            " to 10. Unset: ours, see docs/quality.md."
        ),
    ] = None
    key_env: Annotated[
        str | None,
        Meta(description="Environment variable with the key that the judge's calls bring, where we ask for one."),
    ] = None


class Quality(Section, frozen=True, kw_only=True):
    """The score of each answer: docs/quality.md."""

    scorers: Annotated[
        tuple[str, ...],
        Meta(
            description="Scorers of your own, as my_module:MyScorer, importable by the observer. Each adds a part to"
            " the score. They run as code of Sightglass: name only what you trust."
        ),
    ] = ()
    judge: Judge = Judge()


class Sentry(Section, frozen=True, kw_only=True):
    """Errors of Sightglass itself to Sentry; needs the extra: pip install sightglass[sentry]."""

    dsn: Annotated[
        str | None, Meta(description="Where errors go. Unset: SENTRY_DSN; when that is unset too, nowhere.")
    ] = None
    environment: Annotated[str | None, Meta(description="As `prod`. Unset: SENTRY_ENVIRONMENT.")] = None


class Drift(Section, frozen=True, kw_only=True):
    """Notice that the model behind a route changed: docs/drift.md."""

    enabled: Annotated[
        bool, Meta(description="Look at each answer, off everybody's path, and tell when a model changed.")
    ] = True
    false_alarm_days: Annotated[
        Annotated[float, Meta(gt=0, le=3650)],
        Meta(description="One false alarm in so many days is accepted, all routes and models together."),
    ] = 30.0
    warm_up_answers: Annotated[
        Annotated[int, Meta(ge=200, le=2000)],
        Meta(description="Answers that a baseline is learned from. Fewer: on watch sooner, small changes found later."),
    ] = 500
    latency_tolerance: Annotated[
        Annotated[float, Meta(ge=0.05, le=5)],
        Meta(description="Slower by less than this share, for as many tokens and as much load, is no alarm."),
    ] = 0.22


class Price(Section, frozen=True, kw_only=True):
    """Own price of a model: by tokens, by seconds of work, or by electricity; one of them. Wins over the price file."""

    input_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="USD per million prompt tokens.")
    ] = None
    output_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(description="USD per million completion tokens, reasoning included. Needs input_usd_per_mtok."),
    ] = 0.0
    cached_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="USD per million prompt tokens that were read from a cache. Unset: as other prompt tokens."),
    ] = None
    gpu_second_usd: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(
            description="USD per second that Ollama read the prompt or generated. Only its own dialect (/api/...) tells"
            " these seconds; other calls have no cost then."
        ),
    ] = None
    watts: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="What the machine draws during these seconds. Needs usd_per_kwh."),
    ] = None
    usd_per_kwh: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="Price of electricity. Needs watts.")
    ] = None
    shadow_model: Annotated[
        str | None,
        Meta(
            description="Model of litellm's price file, such as gpt-4o-mini: each call also tells what its tokens would"
            " have cost there. May stand alone."
        ),
    ] = None


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
    ] = {}
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
    ] = {}
