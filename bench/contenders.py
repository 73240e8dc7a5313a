"""Who is measured: how each is started, and which of its processes does what.

A contender that is not there, or does not start, is left out with the reason; the others are still measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from bench import canned
from bench.processes import StartFailedError, free_port, last_lines, settle, start, stop, title, tree

Role = str  # relay | observer | supervisor | other; the bare proxy and nginx's worker are relays too


class MissingError(Exception):
    """A contender is not installed."""


@dataclass(kw_only=True)
class Running:
    """A contender, or the upstream, that serves."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    data: Path | None = None  # Sightglass' data directory
    calls: int = 0  # answered through it so far, so that the ledger can be compared
    first_answer_s: float = 0.0  # from exec to the first status 200 through it
    roles: dict[int, Role] = field(default_factory=dict)

    def rest(self) -> None:
        """Wait until it has started whole and does nothing; learn which processes it has, and who of them is who."""
        settle(tree(self.process.pid), timeout_s=5.0)
        self.roles = {pid: role_of(title(pid), name=self.name) for pid in tree(self.process.pid)}

    def lacking(self) -> set[Role]:
        """Processes that it should have and has not: figures of it in all would flatter."""
        wanted = {"relay", "observer", "supervisor"} if self.name == "sightglass" else {"relay"}
        return wanted - set(self.roles.values())

    def stop(self) -> None:
        """End it and its children."""
        stop(self.process)

    def pids(self, *roles: Role) -> list[int]:
        """Its processes, all or those of some roles."""
        return [pid for pid, role in self.roles.items() if not roles or role in roles]


Starter = Callable[[int, int, Path], Running]  # (own port, upstream's port, empty directory)


def bare(port: int, upstream: int, folder: Path) -> Running:
    """The bare aiohttp pass-through."""
    argv = ["-m", "bench.bare", "--port", str(port), "--upstream", f"http://127.0.0.1:{upstream}"]
    return _python("bare", argv, port, folder)


def upstream(port: int, folder: Path) -> Running:
    """The canned upstream; a contender of its own where calls go direct."""
    return _python("direct", ["-m", "bench.upstream", "--port", str(port)], port, folder)


def _python(name: str, argv: list[str], port: int, folder: Path) -> Running:
    log = folder / f"{name}.log"
    root = Path(__file__).resolve().parent.parent
    process = start([sys.executable, *argv], log=log, cwd=root)  # where `-m bench...` is found
    return Running(name=name, port=port, process=process, log=log)


def sightglass(port: int, upstream: int, folder: Path) -> Running:
    """Sightglass as shipped: one relay worker, every default, everything observed."""
    beside = Path(sys.executable).with_name("sightglass")
    command = str(beside) if beside.exists() else shutil.which("sightglass")
    if command is None:
        raise MissingError("no `sightglass` command; `make setup` installs it")
    log, data = folder / "sightglass.log", folder / "data"
    argv = [command, "serve", "--upstream", f"http://127.0.0.1:{upstream}", "--port", str(port)]
    argv += ["--console-port", str(free_port()), "--data", str(data), "--workers", "1"]
    # Whoever runs the bench may have settings of their own in the environment: they are not what is measured.
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIGHTGLASS_")}
    process = start(argv, log=log, env=env, cwd=folder)
    return Running(name="sightglass", port=port, process=process, log=log, data=data)


_NGINX: Final = """\
daemon off;
{user}worker_processes 1;
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 2048; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


def nginx(port: int, upstream: int, folder: Path) -> Running:
    """nginx as a plain streaming proxy: one worker, no log, no buffering."""
    command = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if command is None:
        raise MissingError("nginx is not installed")
    user = "user root;\n" if os.geteuid() == 0 else ""  # else its worker could not enter our private directory
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, upstream=upstream, port=port, user=user))
    log = folder / "nginx.log"
    argv = [command, "-p", str(folder), "-e", str(folder / "nginx-error.log"), "-c", str(config)]
    return Running(name="nginx", port=port, process=start(argv, log=log), log=log)


CONTENDERS: Final[dict[str, Starter]] = {"bare": bare, "sightglass": sightglass, "nginx": nginx}


def wait_first_answer(running: Running, *, since: float, timeout_s: float = 30.0) -> None:
    """Ask every 10 ms until a call is answered with 200."""
    request = canned.plain_request(running.port)
    body = request.partition(b"\r\n\r\n")[2]
    while True:
        if running.process.poll() is not None:
            raise StartFailedError(f"ended with status {running.process.returncode}: {last_lines(running.log)}")
        if time.monotonic() - since > timeout_s:
            raise StartFailedError(f"no answer of status 200 within {timeout_s:g} s: {last_lines(running.log)}")
        connection = HTTPConnection(canned.HOST, running.port, timeout=5.0)
        with suppress(OSError, HTTPException):
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            if connection.getresponse().status == 200:
                running.first_answer_s = time.monotonic() - since
                running.calls = 1
                break
        connection.close()
        time.sleep(0.01)
    connection.close()


def role_of(process_title: str, *, name: str) -> Role:
    """What a process does, by its title."""
    if name in ("bare", "direct"):
        return "relay"
    for word, role in (("relay", "relay"), ("observer", "observer"), ("supervisor", "supervisor")):
        if process_title.startswith(f"sightglass: {word}"):
            return role
    return "relay" if process_title.startswith("nginx: worker") else "other"


def begin(starter: Starter, *, upstream_port: int, folder: Path) -> Running:
    """Start a contender and wait until it answers. Raises MissingError, StartFailedError."""
    folder.mkdir(parents=True, exist_ok=True)
    since = time.monotonic()
    running = starter(free_port(), upstream_port, folder)
    try:
        wait_first_answer(running, since=since)
    except BaseException:
        running.stop()
        raise
    return running
