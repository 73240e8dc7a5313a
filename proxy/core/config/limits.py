"""What clients may make of us."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Bytes, Seconds, Section


class Limits(Section, frozen=True, kw_only=True):
    """How long we wait and how much we take."""

    connect_s: Annotated[Seconds, Meta(description="Longest wait for a connection to the upstream.")] = 5.0
    first_byte_s: Annotated[
        Seconds, Meta(description="Longest wait for the first byte of an answer; a cold 70B load took 140 s.")
    ] = 600.0
    between_bytes_s: Annotated[Seconds, Meta(description="Longest silence inside an answer.")] = 300.0
    head_s: Annotated[
        Seconds,
        Meta(
            description="A request's head must be whole this long after its first byte, and on a new connection after"
            " it was opened, however it trickles in (slowloris); else 408. Heads fit one packet: 10 s is patient."
        ),
    ] = 10.0
    body_s: Annotated[
        Seconds,
        Meta(
            description="Longest time in all spent waiting for the body of one request; else 408. 64 MiB at 2 Mbit/s"
            " take 270 s. Only the longest silence in model files for Ollama (/api/blobs), which have no such end."
        ),
    ] = 300.0
    idle_s: Annotated[Seconds, Meta(description="How long a client's unused connection is kept.")] = 75.0
    send_s: Annotated[
        Seconds,
        Meta(
            description="A client that takes nothing for so long of an answer that waits for it is cut off, as it holds"
            " a slot of the upstream. nginx waits 60 s too. Slow readers that take a little now and then are not cut."
        ),
    ] = 60.0
    head_bytes: Annotated[
        Annotated[int, Meta(ge=1024)],
        Meta(description="Longest head of a request, its first line included; else 431 or 414. nginx allows 32 KiB."),
    ] = 32 * 1024
    head_fields: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(description="Most fields in a request's head; else 431. Envoy allows 100, too."),
    ] = 100
    body_bytes: Annotated[
        Bytes,
        Meta(
            description="Longest body of a request; else 413. JSON bodies are held in memory until their model is read."
            " Model files for Ollama (/api/blobs) stream and may be longer."
        ),
    ] = 64 * 1024 * 1024
    connections: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most client connections of one relay process; a request beyond gets 503. Each needs two file"
            " descriptors and some 20 KiB."
        ),
    ] = 4096
    per_address: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most connections from one client address, of one relay process; a request beyond gets 429. A"
            " reverse proxy in front is one address."
        ),
    ] = 2048
    calls_per_client: Annotated[
        Annotated[int, Meta(ge=1)],
        Meta(
            description="Most calls (streams or not) that one client address may have under way, of one relay process;"
            " beyond 429."
        ),
    ] = 2048
    memory_bytes: Annotated[
        Bytes,
        Meta(
            description="Memory of one relay process beyond which new calls get 503 with Retry-After while running ones"
            " go on. 16 held bodies of 64 MiB, or 2000 streams with half a MiB kept for the ledger. 0: no mark."
        ),
    ] = 1024 * 1024 * 1024
