"""Client keys through a whole Sightglass: one made or revoked is in force for the next call a moment later."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from bench.product import Product
from proxy.control.following import LOOK_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def keys(product: Product, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("sightglass")), "keys", *words, "--data", str(product.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def status(product: Product, key: str) -> int:
    request = urllib.request.Request(
        f"{product.url}/v1/chat/completions",
        b'{"model":"chat","messages":[{"role":"user","content":"hello"}]}',
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_key_is_asked_for_and_refused_a_moment_after_the_word(product: Product) -> None:
    before = status(product, "nobody")
    key = keys(product, "add", "alice").splitlines()[0]
    time.sleep(LOOK_S)
    known, unknown = status(product, key), status(product, "nobody")
    keys(product, "revoke", "alice")
    time.sleep(LOOK_S)
    revoked = status(product, key)

    assert (before, known, unknown, revoked) == (200, 200, 401, 401)
