"""Relays, as in tests/relay."""

from tests.relay.conftest import make_relay, pytest_asyncio_loop_factories

__all__ = ["make_relay", "pytest_asyncio_loop_factories"]
