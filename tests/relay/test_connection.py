"""Connections to upstreams: TLS, back-pressure, and the pool."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.programs import require_program

from .conftest import MakeRelay
from .peer import ask, chat, connected
from .rig import upstream
from .scripted import OK


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost with its key."""
    path = tmp_path / "certificate.pem"
    made = f"{path}.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost -keyout"
    require_program("openssl")
    subprocess.run([*command.split(), str(path), "-out", made], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(made).read_bytes())
    return path


async def tls_server(certificate: Path, body: bytes) -> tuple[asyncio.Server, int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
                await reader.readexactly(length)
                writer.write(OK.replace(b"Content-Length: 2", b"Content-Length: %d" % len(body))[:-2] + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    return server, server.sockets[0].getsockname()[1]


async def test_tls_with_a_certificate_that_is_trusted(
    make_relay: MakeRelay, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    body = bytes(range(256)) * 8000
    server, port = await tls_server(certificate, body)
    rig = await make_relay((upstream(port, scheme="https", host="localhost"),))
    async with connected(rig.port, receive_bytes=65536) as peer:
        for size in (10, 1_000_000):
            assert body == (await peer.ask(chat(x="y" * size))).body
    assert {"complete"} == {exchange.finished.ending for exchange in await rig.ended(2)}
    server.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_tls_with_a_certificate_that_is_not(
    make_relay: MakeRelay, certificate: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if host == "127.0.0.1":  # trusted, and for another name
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    server, port = await tls_server(certificate, b"{}")
    rig = await make_relay((upstream(port, scheme="https", host=host),))
    answer = await ask(rig.port, chat())

    assert (answer.status, answer.error["code"]) == (502, "upstream_connect_failed")
    assert "TLS" in answer.error["message"]
    server.close()
