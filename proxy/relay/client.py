"""What a passage needs of a client's connection; relay/listener has the real one."""

from __future__ import annotations

from typing import Protocol


class Client(Protocol):
    """The client's side of a passage."""

    answered: bool
    head_only: bool
    http_1_0: bool
    persistent: bool

    @property
    def writing_paused(self) -> bool:
        """Whether the client is slow and more should wait."""

    def send(self, data: bytes) -> None:
        """Write to the client's socket; never blocks."""

    def left_unseen(self) -> bool:
        """Whether the client left while nothing is read from it."""

    def leave(self) -> None:
        """Break the client's connection, as if it had been seen to leave."""
