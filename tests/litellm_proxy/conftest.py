"""The chain, once for all tests here; without LiteLLM's environment each of them is skipped by name, but not in CI."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.litellm_proxy.chain import COMMAND, Chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Started, and ready for calls."""
    if not COMMAND.exists():
        if os.environ.get("CI"):
            pytest.fail("CI sets up .venv-litellm: make litellm")
        pytest.skip("needs the real LiteLLM: make litellm (740 MB)")
    chain = Chain(tmp_path_factory.mktemp("chain"))
    try:
        chain.start()
        yield chain
    finally:
        chain.stop()
