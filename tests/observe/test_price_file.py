"""The price file: found without litellm, taken up when it changes, kept when it is spoilt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from proxy.observe.price_file import CHECK_S, FILE_NAME, PriceFile, installed_price_file

ENTRIES = {"sample_spec": {"mode": "one of ..."}, "gpt-4o": {"input_cost_per_token": 2.5e-06}, "odd": "no object"}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(ENTRIES))
    return path


def change(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


def test_entries_have_exact_prices(path, clock):
    prices = PriceFile(path, clock=clock)

    assert prices.entry("gpt-4o") == {"input_cost_per_token": Decimal("0.0000025")}
    assert prices.entry("odd") is None
    assert prices.entry("sample_spec") is None
    assert prices.entry("no such model") is None


def test_a_changed_file_is_taken_up_after_a_while(path, clock):
    prices = PriceFile(path, clock=clock)
    before = prices.status
    change(path, '{"new": {}, "other": {}, "third": {}}')

    assert not prices.refresh()
    clock.now += CHECK_S
    assert prices.refresh()
    assert not prices.refresh()

    assert (prices.entry("new"), prices.entry("gpt-4o")) == ({}, None)
    assert (before.entries, prices.status.entries) == (2, 3)
    assert before.sha256 != prices.status.sha256
    assert prices.status.error is None


@pytest.mark.parametrize("garbage", ["", "{", "[]", '{"a": {"b": NaN}}', "\xff"])
def test_garbage_leaves_the_last_good_prices_in_force(path, clock, garbage: str):
    prices = PriceFile(path, clock=clock)
    good = prices.status
    change(path, garbage)
    clock.now += CHECK_S

    assert not prices.refresh()

    assert prices.entry("gpt-4o") is not None
    assert prices.status.error is not None
    assert (prices.status.sha256, prices.status.entries) == (good.sha256, good.entries)

    change(path, json.dumps(ENTRIES))
    clock.now += CHECK_S
    assert prices.refresh()
    assert prices.status.error is None


def test_a_file_that_is_gone_leaves_its_prices_and_is_taken_up_again(path, clock):
    prices = PriceFile(path, clock=clock)
    path.unlink()
    clock.now += CHECK_S

    assert not prices.refresh()
    assert prices.entry("gpt-4o") is not None
    assert "FileNotFoundError" in (prices.status.error or "")


def test_a_file_that_was_only_touched_away_and_back_says_no_error(path, clock, tmp_path):
    prices = PriceFile(path, clock=clock)
    path.rename(tmp_path / "aside")
    clock.now += CHECK_S
    prices.refresh()
    (tmp_path / "aside").rename(path)
    clock.now += CHECK_S

    prices.refresh()

    assert prices.status.error is None


def test_no_file_is_no_prices(clock):
    prices = PriceFile(None, clock=clock)

    assert prices.entry("gpt-4o") is None
    assert (prices.status.path, prices.status.entries, prices.status.error) == (None, 0, None)


def test_the_installed_file_is_found_without_importing_litellm():
    script = (
        "import sys; from proxy.observe.price_file import *; path = installed_price_file();"
        "sys.exit(path is None or not path.is_file() or 'litellm' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_without_litellm_there_is_no_file(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    assert installed_price_file() is None


def test_the_installed_file_is_read():
    path = installed_price_file()
    assert path is not None
    assert path.name == FILE_NAME

    status = PriceFile(path).status

    assert status.entries > 4000
    assert status.error is None
