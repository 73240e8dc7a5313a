"""What answers at an address."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from proxy.cli.probe import look
from proxy.core.upstreams import ResolvedUpstream


def upstream(port, *, scheme="http", host="127.0.0.1", key=None):
    return ResolvedUpstream(
        name="default",
        scheme=scheme,
        host=host,
        port=port,
        key=key,
        connect_s=5,
        first_byte_s=600,
        between_bytes_s=300,
    )


def test_ollama_is_known_by_its_version(answering):
    port = answering({"/api/version": {"version": "0.33.0"}, "/api/tags": {"models": [{"name": "a"}, {"name": "b"}]}})

    seen = look(upstream(port))

    assert (seen.kind, seen.version, seen.models, seen.trouble) == ("ollama", "0.33.0", ("a", "b"), None)


def test_litellm_is_known_by_its_liveliness(answering):
    port = answering({"/health/liveliness": "I'm alive!", "/v1/models": (401, {"error": {}})})

    seen = look(upstream(port))

    assert (seen.kind, seen.models, seen.status) == ("litellm", None, 401)


def test_others_are_known_by_their_models(answering):
    port = answering({"/v1/models": {"data": [{"id": "m"}]}})

    assert (look(upstream(port)).kind, look(upstream(port)).models) == ("openai", ("m",))


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"/api/version": b"<html>", "/v1/models": b"<html>"},
        {"/api/version": [1], "/v1/models": {"data": 5}},
        {"/api/version": {"version": 5}},
    ],
)
def test_what_is_none_of_these_is_nobody_we_know(answering, answers):
    seen = look(upstream(answering(answers)))

    assert (seen.kind, seen.trouble) == (None, None)


def test_troubles_have_names(free_port, answering):
    assert look(upstream(free_port)).trouble == "refused"
    assert look(upstream(1, host="nobody.invalid")).trouble == "unknown_name"
    assert look(upstream(answering({}), scheme="https")).trouble == "not_tls"


def test_a_mute_server_is_a_timeout():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        assert look(upstream(listener.getsockname()[1]), timeout_s=0.2).trouble == "timeout"


@pytest.mark.parametrize(
    ("bytes_sent", "trouble"),
    [(b"SSH-2.0\r\n", "not_http"), (b"", "not_http"), (b"HTTP/1.0 400 x\r\n\r\nsent to an HTTPS server", "tls")],
)
def test_a_server_of_another_kind(bytes_sent, trouble):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer():
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(bytes_sent)
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        seen = look(upstream(listener.getsockname()[1]))
        thread.join()

    assert seen.trouble == trouble


def test_a_certificate_that_is_not_trusted(monkeypatch):
    def connect(*_, **__):
        error = ssl.SSLCertVerificationError(1, "failed")
        error.verify_message = "self-signed certificate"
        raise error

    monkeypatch.setattr(socket, "create_connection", connect)

    seen = look(upstream(443, scheme="https"))

    assert (seen.trouble, seen.detail) == ("certificate", "self-signed certificate")


def test_the_key_is_sent_and_told_nowhere(answering):
    port = answering({"/v1/models": (401, {})})

    assert "canary" not in repr(look(upstream(port, key="sk-canary")))
