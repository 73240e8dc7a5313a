"""The page for people: what runs, whether it is well, what to try, the last calls. Every text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, Final

from proxy import __version__
from proxy.console.drift_part import drift_section
from proxy.console.models_table import models_section
from proxy.core.call import CallRecord
from proxy.core.config import Config
from proxy.core.money import to_usd
from proxy.core.outcomes import FAULTS
from proxy.observe.upstreams.figures import ModelRow

REFRESH_S: Final = 5
STAND_IN_MODEL: Final = "chat"
LOGOUT_FORM: Final = '<form method="post" action="/logout"><button type="submit">Log out</button></form>\n'
_ANY: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
_VERDICTS: Final = {"ok": "All is well", "degraded": "Calls pass, but something wants a look", "failing": "In trouble"}
_KINDS: Final = {"ollama": "Ollama", "litellm": "LiteLLM", "openai": "an OpenAI-style server"}


def render(
    config: Config,
    report: Mapping[str, Any],
    calls: Sequence[CallRecord] | None,
    *,
    asked_as: str,
    models: Sequence[ModelRow] = (),
    guarded: bool = False,
) -> str:
    """The whole page. calls: oldest first; None = the ledger cannot be read. asked_as: Host of the request.

    guarded: who reads it has logged in.
    """
    base = client_address(config, asked_as)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{REFRESH_S}">
<title>Sightglass: {escape(_VERDICTS[report["status"]].lower())}</title>
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header>
<h1>Sightglass</h1>
<p class="verdict {escape(report["status"])}">{escape(_VERDICTS[report["status"]])}</p>
</header>
<main>
{_stand_in(report)}{_problems(report)}
<section>
<h2>What runs here</h2>
<dl>
<dt>Clients call</dt><dd><code>{escape(base)}</code></dd>
{_upstreams(report)}
<dt>Relays</dt><dd>{_relays(report)}</dd>
<dt>Ledger</dt><dd>{_ledger(report)}</dd>
</dl>
</section>
<section>
<h2>Try it</h2>
<pre>{escape(curl_line(base, _model(report, calls)))}</pre>
<p>With an OpenAI SDK, change one line: <code>base_url="{escape(base)}/v1"</code></p>
</section>
<section>
<h2>Last calls</h2>
{_calls(calls)}
</section>
{drift_section(report)}{models_section(report, models)}</main>
<footer>
<p>Sightglass {escape(__version__)} · <a href="/metrics">metrics</a> · <a href="/health">health</a> ·
<a href="/ready">ready</a> · <a href="/api/calls">calls</a> and
<a href="/api/events">events</a> as JSON · renewed every {REFRESH_S} seconds</p>
{LOGOUT_FORM if guarded else ""}</footer>
</body>
</html>
"""


def client_address(config: Config, asked_as: str) -> str:
    """Where clients reach the relay, without /v1. Bound to every address: by the name that the console was asked by."""
    host = config.host
    if host in _ANY:
        host = asked_as.rpartition(":")[0] if asked_as.rpartition(":")[2].isdigit() else asked_as
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"http://{host or 'localhost'}:{config.port}"


def curl_line(base: str, model: str) -> str:
    """A call to copy."""
    return (
        f"curl {base}/v1/chat/completions -H 'Content-Type: application/json' \\\n"
        f'  -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}\''
    )


def _model(report: Mapping[str, Any], calls: Sequence[CallRecord] | None) -> str:
    """A model that worked, else the stand-in's, else a place to fill in."""
    if any(upstream["stand_in"] for upstream in report["upstreams"]):
        return STAND_IN_MODEL
    used = [call.model for call in calls or () if call.model and call.outcome == "ok" and "chat" in call.route]
    plain = [model for model in used if all(sign.isalnum() or sign in "-_.:/" for sign in model)]
    return plain[-1] if plain else "YOUR-MODEL"


def _stand_in(report: Mapping[str, Any]) -> str:
    if not any(upstream["stand_in"] for upstream in report["upstreams"]):
        return ""
    return """<section class="notice">
<h2>A stand-in model answers</h2>
<p>No model server was found at the configured address, so Sightglass started a small built-in one to try things on.
What it says is made up. Start Ollama and then Sightglass again to see your own calls.</p>
</section>
"""


def _problems(report: Mapping[str, Any]) -> str:
    if not report["problems"]:
        return ""
    items = "\n".join(f"<li>{escape(text)}</li>" for text in report["problems"])
    return f'<section class="problems">\n<h2>What is wrong</h2>\n<ul>\n{items}\n</ul>\n</section>\n'


def _upstreams(report: Mapping[str, Any]) -> str:
    return "\n".join(_upstream(upstream, only=len(report["upstreams"]) == 1) for upstream in report["upstreams"])


def _upstream(upstream: Mapping[str, Any], *, only: bool) -> str:
    title = "They go to" if only else f"Upstream {upstream['name']}"
    what = _KINDS.get(upstream["kind"], "a server")
    if upstream["version"]:
        what += f" {upstream['version']}"
    if upstream["stand_in"]:
        what = "the built-in stand-in model"
    said = {
        True: f'<span class="good">{escape(what)} answers</span>',
        False: f'<span class="bad">no answer: {escape(str(upstream["error"]))}</span>',
        None: "not looked at yet",
    }[upstream["up"]]
    return f"<dt>{escape(title)}</dt><dd><code>{escape(upstream['url'])}</code> {said}</dd>"


def _relays(report: Mapping[str, Any]) -> str:
    relays = report["relays"]
    active = sum(process["active_calls"] for process in relays["processes"])
    return escape(f"{relays['living']} of {relays['wanted']} run, {_count(active, 'call')} under way")


def _ledger(report: Mapping[str, Any]) -> str:
    ledger, lag_s = report["ledger"], report["observer"]["lag_s"]
    if not ledger["open"]:
        return '<span class="bad">not open</span>'
    behind = f", {lag_s:.0f} s behind" if lag_s >= 2 else ""
    return escape(f"{_count(ledger['calls'], 'call')} recorded since this start{behind}")


def _calls(calls: Sequence[CallRecord] | None) -> str:
    if calls is None:
        return "<p>The ledger cannot be read just now.</p>"
    if not calls:
        return "<p>None yet. Send one: it is here a moment later.</p>"
    rows = "\n".join(_row(call) for call in reversed(calls))
    titles = (
        *("<th>Started</th>", "<th>Model</th>", "<th>Route</th>", "<th>Outcome</th>"),
        *(f'<th class="number">{title}</th>' for title in ("Tokens in", "out", "Cost", "First token", "Took")),
    )
    return (
        f'<div class="wide"><table>\n<thead><tr>{"".join(titles)}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
    )


def _row(call: CallRecord) -> str:
    outcome = f'<span class="{_class(call)}">{escape(call.outcome.replace("_", " "))}</span>'
    status = f" {call.status}" if call.status is not None and call.status != 200 else ""
    told = call.error_type if call.outcome != "ok" else None
    detail = f" <small>{escape(told)}</small>" if told else ""
    numbers = (
        _tokens(call.prompt_tokens, call),
        _tokens(call.completion_tokens, call),
        _cost(call),
        _seconds(call.first_token_s),
        _seconds(call.duration_s),
    )
    cells = "".join(f'<td class="number">{escape(number)}</td>' for number in numbers)
    return (
        f"<tr><td>{_clock(call.started_unix_ns)}</td><td>{escape(call.model or '–')}</td>"
        f"<td><code>{escape(call.route)}</code></td><td>{outcome}{status}{detail}</td>{cells}</tr>"
    )


def _class(call: CallRecord) -> str:
    if call.outcome in ("ok", "cached"):
        return "good"
    return "bad" if call.outcome in FAULTS else "plain"


def _clock(unix_ns: int) -> str:
    try:
        return datetime.fromtimestamp(unix_ns // 10**9).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "–"


def _tokens(count: int | None, call: CallRecord) -> str:
    if count is None:
        return "–"
    return f"~{count:,}" if call.tokens_source in ("counted", "estimated") else f"{count:,}"


def _cost(call: CallRecord) -> str:
    mark = {"counted": "≥", "estimated": "~"}.get(call.tokens_source, "") if call.cost_nanousd is not None else ""
    return f"{mark}{_money(call.cost_nanousd)}"


def _money(nanousd: int | None) -> str:
    if nanousd is None:
        return "–"
    usd = to_usd(nanousd)
    if usd == 0 or usd >= 100:
        return f"${usd:,.2f}"
    return f"${usd:.6f}" if usd >= 1e-4 else f"${usd:.9f}".rstrip("0")


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 0.001:
        return "<1 ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s" if value < 100 else f"{value:.0f} s"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
