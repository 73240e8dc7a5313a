"""What no type can say: addresses, ports that clash, keys that are missing. Who may reach us: see access.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Final
from urllib.parse import urlsplit

from proxy.core.config import Config, Price, Upstream
from proxy.core.public import is_loopback
from proxy.settings.access import check_token
from proxy.settings.addresses import HOST, is_any, is_ip, parse_address
from proxy.settings.mistakes import Found, UnusableError, said
from proxy.settings.objectives import wrong_objectives
from proxy.settings.schema import Path
from proxy.settings.upstreams import DEFAULT, read_key

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check(config: Config, environ: Mapping[str, str], said_paths: set[Path]) -> Iterator[Found]:
    """Everything wrong with settings whose types are right. said_paths: what was not left to its default."""
    yield from _addresses(config, said_paths)
    yield from _listening(config)
    yield from _allowed_hosts(config)
    yield from _allowed_origins(config)
    yield from check_token(config, environ)
    yield from _directory(config)
    yield from _journal(config)
    yield from _otel(config)
    yield from wrong_objectives(config.objectives)
    yield from _log(config)
    for name, upstream in config.upstreams.items():
        yield from _named(name, upstream, environ)
    for name, price in config.prices.items():
        yield from _price(name, price)


# --- addresses ---


def _addresses(config: Config, said_paths: set[Path]) -> Iterator[Found]:
    default = ("upstreams", DEFAULT, "url")
    if DEFAULT in config.upstreams and ("upstream",) in said_paths:
        hint = "both say where other calls go; keep one"
        yield Found(("upstream",), "either this or upstreams.default", "both", hint, besides=(default,))
    urls: dict[Path, str] = {("upstream",): config.upstream}
    urls |= {("upstreams", name, "url"): upstream.url for name, upstream in config.upstreams.items()}
    for path, url in urls.items():
        try:
            _, host, port = parse_address(url)
        except UnusableError as error:
            yield Found(path, error.expected, error.came, error.hint)
            continue
        ours = {"port": (config.host, config.port), "console_port": (config.console_host, config.console_port)}
        for name, (our_host, our_port) in ours.items():
            if port == our_port and is_loopback(host) and (is_loopback(our_host) or is_any(our_host)):
                hint = "that is Sightglass itself"
                yield Found(path, "the address of another server", said(url), hint, besides=((name,),))


# --- listening ---


def _listening(config: Config) -> Iterator[Found]:
    for name, host in (("host", config.host), ("console_host", config.console_host)):
        if not (is_ip(host) or HOST.fullmatch(host)):
            hint = "" if not host.startswith("[") else f"write it without brackets: {host.strip('[]')}"
            yield Found((name,), "an address such as 127.0.0.1 or ::1, or a name", said(host), hint)
    if config.port and config.port == config.console_port:
        yield Found(
            ("console_port",),
            f"another port than that of clients ({config.port})",
            said(config.console_port),
            besides=(("port",),),
        )


def _allowed_origins(config: Config) -> Iterator[Found]:
    for origin in config.allowed_origins:
        scheme, there, rest = origin.partition("://")
        if origin not in ("*", "null") and not (there and scheme and rest.rstrip("/") and "/" not in rest.rstrip("/")):
            hint = "write scheme, host and, if it has one, port: https://chat.example.com"
            yield Found(("allowed_origins",), "origins of web pages", said(origin), hint)


def _allowed_hosts(config: Config) -> Iterator[Found]:
    for name in config.allowed_hosts:
        if not (is_ip(name) or HOST.fullmatch(name.replace("*", "x"))):
            yield Found(
                ("allowed_hosts",), "names of hosts", said(name), "write the name alone, without scheme or port"
            )


# --- files and sizes ---


def _directory(config: Config) -> Iterator[Found]:
    if not config.data:
        yield Found(("data",), "a directory", "nothing")
    elif "\0" in config.data:
        yield Found(("data",), "a directory", said(config.data))
    elif FilePath(config.data).exists() and not FilePath(config.data).is_dir():
        yield Found(("data",), "a directory", f"{said(config.data)}, which is a file")


def _journal(config: Config) -> Iterator[Found]:
    journal = config.journal
    if journal.max_bytes < 2 * journal.segment_bytes:
        expected = f"at least two segments ({2 * journal.segment_bytes} bytes)"
        hint = "space is given back a segment at a time; raise it or lower journal.segment_bytes"
        besides = (("journal", "segment_bytes"),)
        yield Found(("journal", "max_bytes"), expected, said(journal.max_bytes), hint, besides)


# --- telemetry ---


def _otel(config: Config) -> Iterator[Found]:
    endpoint = config.otel.endpoint
    if endpoint is None:
        return
    parts = urlsplit(endpoint)
    path = ("otel", "endpoint")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        yield Found(path, "an address such as http://127.0.0.1:4318", said(endpoint))
    elif "@" in parts.netloc:
        hint = "give the key by OTEL_EXPORTER_OTLP_HEADERS"
        yield Found(path, "an address without user and password", "one with them", hint)
    elif parts.path.rstrip("/").endswith("/v1/traces"):
        hint = "the paths of the signals are added; for an odd one there is OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
        yield Found(path, "the base address, without /v1/traces", said(endpoint), hint)


def _log(config: Config) -> Iterator[Found]:
    directory, address = config.log.file.directory, config.log.syslog.address
    if directory is not None:
        path = ("log", "file", "directory")
        if not directory or "\0" in directory:
            yield Found(path, "a directory", said(directory))
        elif FilePath(directory).exists() and not FilePath(directory).is_dir():
            yield Found(path, "a directory", f"{said(directory)}, which is a file")
    if address is not None:
        expected = "unix:/dev/log, udp://host:514 or tcp://host:601"
        try:
            parts = urlsplit(address)
            named = parts.hostname if parts.scheme in ("udp", "tcp") else parts.path.startswith("/")
            known = parts.scheme in ("unix", "udp", "tcp") and bool(named) and (parts.port or 1) > 0
        except ValueError:
            known = False
        if not known:
            yield Found(("log", "syslog", "address"), expected, said(address))


# --- named upstreams and keys ---


def _named(name: str, upstream: Upstream, environ: Mapping[str, str]) -> Iterator[Found]:
    path = ("upstreams", name)
    if not _NAME.fullmatch(name):
        expected = "a name of letters, digits, `.`, `_` and `-`, at most 64"
        yield Found(path, expected, said(name), "it stands in logs and metrics")
    if name != DEFAULT and not upstream.models:
        expected = "patterns of the models it serves"
        hint = 'without, it gets no call; write ["*"] for all, or call the upstream `default`'
        yield Found((*path, "models"), expected, said(upstream.models), hint)
    elif not all(upstream.models):
        yield Found((*path, "models"), "patterns of models", "an empty one")
    try:
        read_key(upstream, environ)
    except UnusableError as error:
        which = "key_file" if upstream.key_file is not None else "key_env"
        besides = ((*path, "key_env"),)
        yield Found((*path, which), error.expected, error.came, error.hint, besides)


# --- prices ---


def _price(name: str, price: Price) -> Iterator[Found]:
    """One way of pricing, whole: by tokens, by seconds of work, or by electricity; or a shadow price alone."""
    path = ("prices", name)
    for one, other in (("watts", "usd_per_kwh"), ("usd_per_kwh", "watts")):
        if getattr(price, one) is not None and getattr(price, other) is None:
            yield Found((*path, other), "both watts and usd_per_kwh", f"{one} alone", besides=((*path, one),))
    electricity = price.watts is not None or price.usd_per_kwh is not None
    tokens = price.input_usd_per_mtok is not None
    ways = [name for name, used in (("input_usd_per_mtok", tokens), ("watts", electricity)) if used]
    if price.gpu_second_usd is not None:
        ways.append("gpu_second_usd")
    by_tokens = price.output_usd_per_mtok or price.cached_usd_per_mtok is not None
    if by_tokens and not tokens:
        hint = "write 0 when prompt tokens are free"
        yield Found((*path, "input_usd_per_mtok"), "a price of prompt tokens too", "nothing", hint, besides=(path,))
    elif not ways and price.shadow_model is None:
        expected = "input_usd_per_mtok, gpu_second_usd, watts with usd_per_kwh, or shadow_model"
        yield Found(path, expected, "none of them")
    elif len(ways) > 1:
        yield Found(path, "one way of pricing", " and ".join(ways), "keep one of them")
    if price.shadow_model == "":
        yield Found((*path, "shadow_model"), "a model of litellm's price file", "nothing")
