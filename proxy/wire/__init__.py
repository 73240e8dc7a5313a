"""Bytes to meaning and back, pure and incremental. No I/O; never raises on foreign bytes."""
