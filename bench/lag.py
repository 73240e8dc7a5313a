"""How long a relay's event loop lets a small question wait: GET /-/health every so often, over one kept connection.

    python -m bench.lag --port N --every 0.1 --into FILE

One line an answer: Unix time, seconds it took. An upper bound of the loop's lag: kernel, scheduler and the answer
itself are in it. A process of its own, so that its clock does not wait for a busy load generator.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.processes import end_with_parent

_REQUEST: Final = b"GET /-/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_TIMEOUT_S: Final = 30.0


def probe(port: int, every_s: float) -> Iterator[tuple[float, float]]:
    """(Unix time, seconds) of each question, for ever. One that failed counts as the timeout."""
    sock: socket.socket | None = None
    due = time.monotonic()
    while True:
        due = max(due + every_s, time.monotonic())
        time.sleep(max(due - time.monotonic(), 0.0))
        began = time.monotonic()
        try:
            sock = sock or socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
            sock.sendall(_REQUEST)
            if not sock.recv(65536):
                raise ConnectionError("closed")
            took_s = time.monotonic() - began
        except OSError:
            if sock is not None:
                sock.close()
            sock, took_s = None, _TIMEOUT_S
        yield time.time(), took_s


def read(path: Path, after: float = 0.0) -> list[float]:
    """The seconds of all answers since a Unix time."""
    lines = [line.split() for line in path.read_text().splitlines() if line.count(" ") == 1]
    return [float(took) for at, took in lines if float(at) >= after]


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(prog="python -m bench.lag", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--every", type=float, default=0.1)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    end_with_parent()
    with options.into.open("a", buffering=1) as file:
        for at, took_s in probe(options.port, options.every):
            file.write(f"{at:.3f} {took_s:.6f}\n")


if __name__ == "__main__":
    main()
