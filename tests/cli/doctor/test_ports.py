"""Doctor: ports."""

from __future__ import annotations

import errno
import socket

import pytest

from proxy.cli.doctor import ports
from proxy.cli.doctor.ports import examine_ports
from proxy.core.config import Config


def test_free_ports_are_well(free_port):
    relay, console = examine_ports(Config(port=free_port, console_port=0))

    assert (relay.mark, relay.found) == ("ok", f"127.0.0.1:{free_port} is free")
    assert (console.mark, "chosen at each start" in console.found) == ("ok", True)


def test_a_port_of_another_program_is_wrong(answering):
    port = answering({})

    relay, _ = examine_ports(Config(port=port, console_port=0))

    assert relay.mark == "wrong"
    assert "taken by another program" in relay.found
    assert "--port" in relay.do


def test_a_running_sightglass_is_well_in_whatever_state(answering):
    relay, console = answering({"/-/health": {"status": "ok"}}), answering({"/health": (503, {"status": "wrong"})})

    findings = examine_ports(Config(port=relay, console_port=console))

    assert [finding.mark for finding in findings] == ["ok", "ok"]
    assert "served by a running Sightglass" in findings[1].found


def test_a_relay_that_shares_its_port_is_noticed():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        with pytest.raises(OSError):
            ports._open("127.0.0.1", listener.getsockname()[1])


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (Config(host="192.0.2.1", allow_public_bind=True), "192.0.2.1 is no address of this machine"),
        (Config(host="nobody.invalid", allow_public_bind=True), "the name nobody.invalid is not known here"),
    ],
)
def test_addresses_that_cannot_be_had(config, found):
    finding, _ = examine_ports(config)

    assert finding.mark == "wrong"
    assert found in finding.found
    assert "--host" in finding.do


@pytest.mark.parametrize(("number", "found"), [(errno.EACCES, "more rights"), (errno.ENOBUFS, "cannot be opened")])
def test_other_refusals_of_the_system(monkeypatch, number, found):
    def refuse(*_):
        raise OSError(number, "no")

    monkeypatch.setattr(ports, "_open", refuse)

    assert found in examine_ports(Config())[0].found
