"""What a person reads once both ports answer. Pure text; the supervisor prints it to standard error.

Where the settings leave a port to the system (0), the text has RELAY or CONSOLE in the place of the address, for
the supervisor to replace once it knows.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.control.admin_token import token_path
from proxy.core.config import Config
from proxy.core.public import console_guarded

if TYPE_CHECKING:
    from proxy.core.upstreams import ResolvedUpstream

RELAY: Final = "{relay}"
CONSOLE: Final = "{console}"
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def greeting(config: Config, upstreams: tuple[ResolvedUpstream, ...]) -> str:
    """Of `serve`: three lines."""
    relay, console = _addresses(config)
    onwards = ", ".join(f"{u.url} ({', '.join(u.models)})" if u.models else u.url for u in upstreams)
    console += f" (admin token: {_token_place(config)})" if console_guarded(config) else ""
    return f"sightglass: clients {relay}/v1 -> {onwards}\nsightglass: console {console}, data {config.data}\n"


def _token_place(config: Config) -> str:
    """Where the admin token is, never the token."""
    if config.access.token_env is not None:
        return f"variable {config.access.token_env}"
    return config.access.token_file or str(token_path(Path(config.data)))


def welcome(config: Config, *, upstream: str, stand_in: bool, model: str | None) -> str:
    """Of `demo`: what runs and what to try next.

    upstream: the address in the settings. stand_in: nothing answered there. model: one to ask for; None = the server
    has none yet.
    """
    relay, console = _addresses(config)
    lines = ["", "Sightglass is running.", ""]
    if stand_in:
        lines += [
            f"  Nothing answered at {upstream}, so a built-in STAND-IN MODEL answers in its place.",
            "  It says a fixed text whatever it is asked. For real answers start Ollama and run this again,",
            "  or say where your server is: sightglass serve --upstream http://HOST:PORT",
            "",
        ]
    lines += [
        f"  clients   {relay}/v1" + ("" if stand_in else f"  ->  {upstream}"),
        f"  console   {console}  (/metrics, /health)",
        *([f"  token     {_token_place(config)}  (the console asks for it)"] if console_guarded(config) else []),
        f"  data      {config.data}",
        "",
    ]
    if model is None:
        lines += ["The server has no model yet. With Ollama, get one first:", "", "  ollama pull llama3.2", ""]
    asked = model or "llama3.2"
    command = "sightglass" if shutil.which("sightglass") else ".venv/bin/sightglass"
    lines += [
        "Try it:",
        "",
        f"  curl {relay}/v1/chat/completions -H 'Content-Type: application/json' \\",
        f'    -d \'{{"model": "{asked}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'',
        "",
        "With the OpenAI SDK, change one line:",
        "",
        f'  client = OpenAI(base_url="{relay}/v1", api_key="unused")',
        f'  client.chat.completions.create(model="{asked}", messages=[{{"role": "user", "content": "Hello"}}])',
        "",
        "Then see what was seen:",
        "",
        f"  {command} calls" + ("" if config.data == Config().data else f" --data {config.data}"),
        f"  curl {console}/metrics",
        "",
        "Ctrl-C stops it.",
        "",
    ]
    return "\n".join(lines)


def _addresses(config: Config) -> tuple[str, str]:
    relay = RELAY if config.port == 0 else address(config.host, config.port)
    console = CONSOLE if config.console_port == 0 else address(config.console_host, config.console_port)
    return relay, console


def address(host: str, port: int) -> str:
    """Where this machine reaches a listener, as a URL."""
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
