"""What looks like an error of a tool, and what does not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.tool_errors import looks_failed


@pytest.mark.parametrize(
    "text",
    [
        "Error: no such file",
        "error - quota",
        "ERROR",
        "<tool_use_error>String to replace not found</tool_use_error>",
        "**Error:** boom",
        "ValueError: bad literal",
        "requests.exceptions.ConnectionError: refused",
        "Traceback (most recent call last):\n  File",
        "Failed to fetch page",
        "Could not execute: no shell",
        "Error executing tool read_file: x",
        "An error occurred while running",
        "HTTP 503 Service Unavailable",
        "Exit code 1\nfoo",
        "Command failed with exit code 2",
        "permission denied",
        '{"error": "not found"}',
        '{"error": {"code": 3}}',
        '{"isError": true, "content": []}',
        '{"success": false}',
        '{"status": "failed"}',
        '{"status": 404}',
    ],
)
def test_failures(text: str) -> None:
    assert looks_failed(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sunny",
        "No errors found.",
        "Errors: 0 of 12",
        "The error rate is 2 %",
        "Error handling in Go is explicit.",
        "0",
        '{"error": null, "data": [1]}',
        '{"errors": []}',
        '{"status": "ok"}',
        '{"status": 200}',
        '{"success": true}',
        '{"text": "Error: x"}',
        '{"broken": ',
        '["error"]',
        "Exit code 0",
        "404 pages were found",
    ],
)
def test_no_failures(text: str) -> None:
    assert not looks_failed(text)


def test_the_clients_own_word_counts_alone() -> None:
    assert looks_failed("sunny", flag=True)
    assert not looks_failed("Error: this is a page about errors", flag=False)


@given(st.text(st.characters(exclude_categories=()), max_size=300) | st.text("Eror:( ._{}\"'", max_size=300))
def test_foreign_texts_raise_nothing(text: str) -> None:
    assert looks_failed(text) in (True, False)


def test_long_texts_cost_nothing() -> None:
    began = time.thread_time()
    for start in ("_" * 400, "a." * 200, " " * 400, "<" * 400, "error" * 80):
        looks_failed(start + "x" * 10_000_000)

    assert time.thread_time() - began < 30
