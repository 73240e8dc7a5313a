"""Doctor: can both listeners be opened, or is a Sightglass running there already?"""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
from contextlib import closing
from typing import Final

from proxy.cli.doctor.findings import Finding, ok, wrong
from proxy.cli.welcome import address
from proxy.core.config import Config

_ASK_S: Final = 2.0


def examine_ports(config: Config) -> list[Finding]:
    """One finding for the clients' port, one for the console's."""
    return [
        _port("port", config.host, config.port, "/-/health"),
        _port("console port", config.console_host, config.console_port, "/health"),
    ]


def _port(about: str, host: str, port: int, health: str) -> Finding:
    where = f"{host}:{port}"
    option = f"--{about.replace(' ', '-')}"
    if port == 0:
        return ok(about, f"{host}: a free port, chosen at each start")
    try:
        _open(host, port)
    except socket.gaierror:
        return wrong(
            about, f"the name {host} is not known here", f"give an address of this machine with {_host(about)}"
        )
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE if is_sightglass(host, port, health):
                return ok(about, f"{where} is served by a running Sightglass")
            case errno.EADDRINUSE:
                todo = (
                    f"stop what listens there (ss -ltnp 'sport = :{port}' tells who), or choose another with {option}"
                )
                return wrong(about, f"{where} is taken by another program", todo)
            case errno.EACCES | errno.EPERM:
                return wrong(about, f"{where} needs more rights than we have", f"choose one above 1023 with {option}")
            case errno.EADDRNOTAVAIL:
                return wrong(about, f"{host} is no address of this machine", f"give one that is with {_host(about)}")
            case _:
                reason = os.strerror(error.errno) if error.errno else str(error)
                return wrong(about, f"{where} cannot be opened ({reason.lower()})", f"choose another with {option}")
    return ok(about, f"{where} is free")


def _open(host: str, port: int) -> None:
    """Open and close it, as the relay would. Without SO_REUSEPORT, so that a running Sightglass is noticed."""
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)


def is_sightglass(host: str, port: int, health: str) -> bool:
    """Whether a health path of ours answers there, in whatever state."""
    reached = address(host, port).removeprefix("http://")
    try:
        with closing(http.client.HTTPConnection(reached, timeout=_ASK_S)) as connection:
            connection.request("GET", health)
            answer = connection.getresponse()
            return answer.status in (200, 503) and isinstance(json.loads(answer.read(1 << 20)), dict)
    except (OSError, http.client.HTTPException, ValueError):
        return False


def _host(about: str) -> str:
    return "--host" if about == "port" else "--console-host"
