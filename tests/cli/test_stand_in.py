"""`sightglass stand-in`."""

from __future__ import annotations

import pytest


@pytest.fixture
def served(monkeypatch):
    import proxy.standin.server

    calls = []
    monkeypatch.setattr(proxy.standin.server, "run", lambda **more: calls.append(more))
    return calls


def test_it_serves_at_ollamas_address(sightglass, served):
    assert sightglass("stand-in").exit_code == 0
    assert served == [{"host": "127.0.0.1", "port": 11434}]


def test_a_port_can_be_given(sightglass, served):
    sightglass("stand-in", "--port", "5", "--host", "::1")

    assert served == [{"host": "::1", "port": 5}]


def test_a_wrong_port_is_told(sightglass, served):
    assert sightglass("stand-in", "--port", "99999").exit_code == 2
    assert served == []
