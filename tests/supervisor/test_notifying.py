"""What a service manager hears."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from proxy.supervisor.notifying import VARIABLE, Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_it_is_told_and_children_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@sightglass-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0", 1) if abstract else name)
        manager.settimeout(5)
        monkeypatch.setenv(VARIABLE, name)
        notifier = Notifier()
        notifier.tell("READY=1")

        assert manager.recv(100) == b"READY=1"
    assert VARIABLE not in os.environ
    notifier.tell("STOPPING=1")  # the manager is gone: no fault of ours


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)

    Notifier().tell("READY=1")
