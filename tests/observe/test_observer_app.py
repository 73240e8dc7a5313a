"""The observer as a process of its own: ready, recording, logging, gone when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from proxy.core.config import Config, Observer
from proxy.core.upstreams import ResolvedUpstream, to_processes
from proxy.processes import ChildArguments, hand
from proxy.store import open_reader
from tests.observe.journals import FakeRelay

UPSTREAM = ResolvedUpstream(
    name="default", scheme="http", host="127.0.0.1", port=1, connect_s=1, first_byte_s=1, between_bytes_s=1
)
ROOT = Path(__file__).parents[2]


class App:
    """One observer process, started as the supervisor starts it."""

    def __init__(self, data: Path, *, environment: dict[str, str], listened_to: bool = True) -> None:
        config = Config(data=str(data), observer=Observer(linger_s=0.05))
        settings_fd = hand(to_processes(config, (UPSTREAM,)), "settings")
        sock = socket.create_server(("127.0.0.1", 0))
        self.port = sock.getsockname()[1]
        life_read, self._life_write = os.pipe()
        ready_read, ready_write = os.pipe()
        arguments = ChildArguments(
            settings_fd=settings_fd, socket_fd=sock.fileno(), life_fd=life_read, ready_fd=ready_write
        )
        if not listened_to:
            os.close(ready_read)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proxy.observer_app", msgspec.json.encode(arguments).decode()],
            pass_fds=(settings_fd, sock.fileno(), life_read, ready_write),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        os.close(ready_write)
        if listened_to:
            self.ready = os.read(ready_read, 1)
            os.close(ready_read)
        for fd in (settings_fd, life_read):
            os.close(fd)
        sock.close()

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return bytes(answer.read())

    def end(self, how: int = signal.SIGTERM) -> tuple[int, bytes, bytes]:
        """Exit status, standard output, standard error."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=15)
        return self.process.returncode, out, err

    def clean_up(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._life_write)


@pytest.fixture
def observer(tmp_path: Path) -> Iterator[Callable[..., App]]:
    begun: list[App] = []

    def start(*, listened_to: bool = True, **environment: str) -> App:
        begun.append(App(tmp_path, environment=environment, listened_to=listened_to))
        return begun[-1]

    yield start
    for app in begun:
        app.clean_up()


def recorded(data: Path) -> dict[str, Any]:
    with open_reader(data) as reader:
        return {call.record.call_id: call.record for call in reader.last_calls(1000)}


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass within 30 s"
        time.sleep(0.02)


def test_ready_recording_and_gone(tmp_path: Path, observer: Callable[..., App]) -> None:
    app = observer()
    relay = FakeRelay(tmp_path)
    relay.call("a", user_agent="curl/8")
    until(lambda: b'sightglass_outcomes_total{outcome="ok"} 1.0' in app.get("/metrics"))
    resident_kib = _status(app.process.pid, "VmRSS")
    title = Path(f"/proc/{app.process.pid}/cmdline").read_bytes()
    relay.start("b")
    relay.die()

    status, out, err = app.end()

    lines = [orjson.loads(line) for line in out.splitlines()]
    assert app.ready == b"1"
    assert title.startswith(b"sightglass: observer")
    assert status == 0, err
    assert {call_id: call.outcome for call_id, call in recorded(tmp_path).items()} == {"a": "ok", "b": "interrupted"}
    assert [(line["call_id"], line["outcome"], line["level"]) for line in lines] == [
        ("a", "ok", "info"),
        ("b", "interrupted", "warning"),
    ]
    assert resident_kib < 110 * 1024  # with the first answer numpy is there, for drift


def test_after_a_restart_nobody_waits_for_ready(tmp_path: Path, observer: Callable[..., App]) -> None:
    app = observer(listened_to=False)

    until(lambda: _answers(app))

    assert app.end()[0] == 0


def test_killed_and_started_again_it_records_each_call_once(tmp_path: Path, observer: Callable[..., App]) -> None:
    relay = FakeRelay(tmp_path)
    for number in range(300):
        relay.call(f"call-{number}")
    first = observer()
    first.end(signal.SIGKILL)
    for number in range(300, 400):
        relay.call(f"call-{number}")
    relay.die()

    second = observer()
    status, _, _ = second.end()

    assert status == 0
    assert len(recorded(tmp_path)) == 400


def test_a_fault_forced_by_the_environment(tmp_path: Path, observer: Callable[..., App]) -> None:
    app = observer(SIGHTGLASS_INTERNAL_FAIL="pricing,log,ledger:1")
    relay = FakeRelay(tmp_path)
    relay.call("a")
    relay.die()
    until(lambda: b'sightglass_outcomes_total{outcome="ok"} 1.0' in app.get("/metrics"))

    _, out, err = app.end()

    assert recorded(tmp_path)["a"].observer_errors == ("pricing", "log")
    assert out == b""
    logged = [orjson.loads(line) for line in err.splitlines()]
    assert {line["part"] for line in logged if line["event"] == "part_failed"} == {"pricing", "log", "ledger"}


def test_a_closed_standard_output_stops_the_log_only(tmp_path: Path, observer: Callable[..., App]) -> None:
    app = observer()
    assert app.process.stdout is not None
    app.process.stdout.close()
    relay = FakeRelay(tmp_path)
    for call_id in ("a", "b"):
        relay.call(call_id)
        until(lambda: b'sightglass_log_lines_lost_total{output="stdout"} 0.0' not in app.get("/metrics"))
    relay.die()

    app.process.terminate()

    assert app.process.wait(15) == 0
    assert set(recorded(tmp_path)) == {"a", "b"}


def test_it_imports_neither_the_settings_reader_nor_the_migrations() -> None:
    code = "import sys, proxy.observer_app; print([name for name in ('pydantic', 'alembic', 'yaml', 'litellm', 'click')"
    code += " if name in sys.modules])"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    assert run.stdout.strip() == "[]"


def _answers(app: App) -> bool:
    try:
        return bool(app.get("/health"))
    except OSError:
        return False


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))
