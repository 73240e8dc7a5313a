"""OTEL_EXPORTER_OTLP_COMPRESSION over gRPC, where the SDK does not take the standard word `none`."""

from __future__ import annotations

import os
from typing import Any


def told_compression(signal: str) -> Any:
    """NoCompression where the variables say `none`, which the SDK takes over http only; None = let it read them."""
    from grpc import Compression  # type: ignore[import-untyped]

    said = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_COMPRESSION") or os.environ.get(
        "OTEL_EXPORTER_OTLP_COMPRESSION"
    )
    return Compression.NoCompression if (said or "").strip().lower() in ("", "none") else None
