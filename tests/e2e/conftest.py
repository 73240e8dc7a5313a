"""A whole Sightglass before a stand-in model, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.product import Product


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    """Serving, with one relay."""
    yield from running(Product(tmp_path))


def running(product: Product) -> Iterator[Product]:
    """Start it, give it, end it."""
    with product.running():
        yield product
