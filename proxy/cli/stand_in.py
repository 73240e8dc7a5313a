"""`sightglass stand-in`: the built-in model server, for trying things out and for tests."""

from __future__ import annotations

import click


@click.command("stand-in")
@click.option("--host", default="127.0.0.1", metavar="HOST", show_default=True, help="Address to listen at.")
@click.option("--port", default=11434, type=click.IntRange(0, 65535), metavar="N", show_default=True, help="Its port.")
def stand_in(*, host: str, port: int) -> None:
    """Serve the built-in stand-in model, which behaves like Ollama.

    It speaks Ollama's and OpenAI's dialects, says fixed texts, and has faults and delays on request. Real clients
    cannot tell it from Ollama, until they read the answer.
    """
    from proxy.standin.server import run

    try:
        run(host=host, port=port)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host} port {port}: {error.strerror or error}") from None
