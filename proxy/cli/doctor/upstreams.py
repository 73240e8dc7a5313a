"""Doctor: does each upstream answer, as what, and with which models?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from proxy.cli.doctor.findings import Finding, ok, warning, wrong
from proxy.cli.probe import Seen, look
from proxy.core.upstreams import ResolvedUpstream

_CALLED: Final = {"ollama": "Ollama", "litellm": "LiteLLM", "openai": "an OpenAI-style server"}


def examine_upstreams(upstreams: tuple[ResolvedUpstream, ...]) -> list[Finding]:
    """One finding each, and one more where it answers as something else than the settings say."""
    with ThreadPoolExecutor(max_workers=8) as looks:
        seen = list(looks.map(look, upstreams))
    return [finding for pair in zip(upstreams, seen, strict=True) for finding in judge(*pair)]


def judge(upstream: ResolvedUpstream, seen: Seen) -> list[Finding]:
    """What a look at an upstream means."""
    about = "upstream" if upstream.name == "default" else f"upstream {upstream.name}"
    if seen.trouble is not None:
        return [wrong(about, *_in_words(upstream, seen))]
    if seen.kind is None:
        found = f"{upstream.url} answers, but neither as Ollama nor as LiteLLM, nor with a list of models"
        return [warning(about, found, "check that this is the address of a model server, without any path")]
    findings = [_models(about, upstream, seen)]
    if upstream.kind not in ("auto", seen.kind):
        found = f"the settings call {upstream.url} {upstream.kind}, but {_CALLED[seen.kind]} answers there"
        which = "upstream_kind" if upstream.name == "default" else f"upstreams.{upstream.name}.kind"
        findings.append(warning(about, found, f"set {which} to {seen.kind}, or leave it out"))
    return findings


def _models(about: str, upstream: ResolvedUpstream, seen: Seen) -> Finding:
    assert seen.kind is not None
    who = " ".join(filter(None, (_CALLED[seen.kind], seen.version)))
    if seen.status in (401, 403):
        found = f"{upstream.url}: {who}, which does not show its models "
        found += "without a key" if upstream.key is None else "to the key we have"
        if upstream.key is None:
            return ok(about, f"{found}; each client brings its own (or set key_env)")
        return wrong(about, found, "check what key_env or key_file holds")
    if seen.models is None:
        return warning(about, f"{upstream.url}: {who}, which does not tell its models", "look into its log")
    if not seen.models:
        get = "ollama pull llama3.2" if seen.kind == "ollama" else "add one to its configuration"
        return warning(about, f"{upstream.url}: {who}, without any model", f"get a model: {get}")
    count = len(seen.models)
    return ok(about, f"{upstream.url}: {who}, {count} model{'' if count == 1 else 's'}")


def _in_words(upstream: ResolvedUpstream, seen: Seen) -> tuple[str, str]:
    """What is wrong and what to do."""
    url, host, port = upstream.url, upstream.host, upstream.port
    elsewhere = "or say where it is: --upstream http://HOST:PORT"
    match seen.trouble:
        case "refused":
            start = "start LiteLLM" if upstream.kind == "litellm" else "start Ollama (ollama serve)"
            start = "start the server" if upstream.kind == "openai" else start
            return f"{url}: nothing listens there", f"{start}, {elsewhere}"
        case "unknown_name":
            return f"{url}: the name {host} is not known here", "check its spelling and this machine's DNS"
        case "timeout":
            return (
                f"{url}: no answer within 3 s",
                f"check that the server is well and that no firewall drops port {port}",
            )
        case "certificate":
            todo = "have the server present one that this machine trusts; SSL_CERT_FILE can name its authority's file"
            return f"{url}: its certificate is not accepted ({seen.detail})", todo
        case "not_tls":
            return f"{url}: it does not speak TLS there ({seen.detail})", f"try http://{host}:{port}"
        case "tls":
            return f"{url}: it wants TLS", f"write https://{host}:{port}"
        case "not_http":
            return f"{url}: what listens there does not speak HTTP ({seen.detail})", "check the port"
        case _:
            return f"{url}: not reachable ({seen.detail})", "check the address and the route to it"
