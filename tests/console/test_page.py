"""The page for people: what it says, and that no text of a client can do anything there."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from proxy.console.page import client_address, curl_line, render
from proxy.core.config import Config
from tests.console.conftest import Stage
from tests.observe.test_metrics import CALL

EVIL = "<script>alert(1)</script>\"'&"


class Text(HTMLParser):
    """What a reader sees, and the tags that there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        self.text += data


def read(report: dict[str, Any], **options: Any) -> Text:
    settings: dict[str, Any] = {"calls": [CALL], "asked_as": "127.0.0.1:11436", **options}
    return Text(render(Config(), report, settings.pop("calls"), **settings))


async def test_it_says_what_runs(stage: Stage) -> None:
    page = read(stage.health.report())

    for words in (
        "All is well",
        "http://127.0.0.1:11435/v1",
        "http://127.0.0.1:11434",
        "1 of 1 run",
        "llama3.2",
        "$0.00003",
    ):
        assert words in page.text
    assert "stand-in" not in page.text
    assert not {"script", "iframe", "img", "form"} & set(page.tags)


async def test_a_stand_in_is_said_loudly(stage: Stage) -> None:
    report = stage.health.report()
    report["upstreams"][0].update(stand_in=True, up=True)

    page = read(report, calls=[])

    assert "A stand-in model answers" in page.text
    assert '"model": "chat"' in page.text
    assert "the built-in stand-in model answers" in page.text
    assert "None yet" in page.text


async def test_what_clients_wrote_stays_text(stage: Stage) -> None:
    report = stage.health.report()
    report["problems"] = [EVIL]
    call = msgspec.structs.replace(CALL, model=EVIL, error_type=EVIL, route=EVIL, outcome="upstream_error", status=500)

    page = read(report, calls=[call])

    assert page.text.count(EVIL) == 4
    assert "script" not in page.tags


async def test_troubles_in_words(stage: Stage) -> None:
    stage.relay.die()
    report = stage.health.report()
    report["ledger"]["open"] = False

    page = read(report, calls=None)

    assert "In trouble" in page.text
    assert "No relay process runs" in page.text
    assert "The ledger cannot be read just now" in page.text


@pytest.mark.parametrize(
    ("host", "asked_as", "address"),
    [
        ("127.0.0.1", "localhost:11436", "http://127.0.0.1:11435"),
        ("0.0.0.0", "box.local:11436", "http://box.local:11435"),
        ("0.0.0.0", "box.local", "http://box.local:11435"),
        ("::", "[fd00::1]:11436", "http://[fd00::1]:11435"),
        ("::", "[fd00::1]", "http://[fd00::1]:11435"),
        ("::1", "localhost:11436", "http://[::1]:11435"),
    ],
)
def test_the_address_to_call(host: str, asked_as: str, address: str) -> None:
    assert client_address(Config(host=host), asked_as) == address


def test_the_line_to_copy_is_one_call() -> None:
    assert curl_line("http://127.0.0.1:11435", "chat").splitlines() == [
        "curl http://127.0.0.1:11435/v1/chat/completions -H 'Content-Type: application/json' \\",
        '  -d \'{"model": "chat", "messages": [{"role": "user", "content": "Hello!"}]}\'',
    ]
