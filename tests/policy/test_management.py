"""However Ollama's management paths are spelled, they are seen; nothing else is."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.management import CLOSED, is_management
from proxy.wire.routes import ROUTES


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_the_plain_paths_are_management(name: str) -> None:
    assert is_management(f"/api/{name}")


@pytest.mark.parametrize(
    "path",
    [
        "/api//pull",
        "//api/pull",
        "/api/pull/",
        "/api/pull//",
        "/api/%70ull",
        "/%61pi/pull",
        "/api%2Fpull",
        "/api%2fpull",
        "/api%252Fpull",
        "/api/%2570ull",
        "/api/PULL",
        "/Api/pull",
        "/API%2FPULL",
        "/api/./pull",
        "/api/%2e/pull",
        "/api/../api/pull",
        "/v1/../api/pull",
        "/v1/%2e%2e/api/pull",
        "/api/x/../pull",
        "/api/x/..%2fpull",
        "/api/pull/../pull",
        "/api/pull/..",
        "/api/chat/../pull",
        "/../../api/pull",
        "/api\\pull",
        "/api%5cpull",
        "/api/pull;a=b",
        "/api;x/pull",
        "/api/pull%3Fx=1",
        "/api/pull%23x",
        "/api/pull%00",
        "/api/pull%20",
        "/api/blobs/sha256:00",
        "/api/blobs/sha256%3A00",
        "/ollama/api/pull",
        "/%2561%2570%2569/pull",
        "/%252525252561pi/pull",
        "/api/%25252525252570ull",
    ],
)
def test_no_spelling_gets_around(path: str) -> None:
    assert is_management(path)


KNOWN = [route.replace("{", "").replace("}", "") for route in ROUTES if not {*route.split("/")} & CLOSED]
OTHERS = (
    "/api/chat /api/tags /api/show /api/pullx /api/xpull /apis/pull /v1/models/pull /api / /v1/files/copy /x%zz/api"
)


@pytest.mark.parametrize("path", [*KNOWN, *OTHERS.split(), "/v1/models/hf.co%2Funsloth%2Fx", "/100%25/chat"])
def test_other_paths_are_not_management(path: str) -> None:
    assert not is_management(path)


@given(st.sampled_from(sorted(CLOSED)), st.data())
def test_any_mix_of_encodings_is_seen(name: str, data: st.DataObject) -> None:
    path = ""
    for character in f"/api/{name}":
        spelled = data.draw(st.sampled_from([character, f"%{ord(character):02x}", f"%25{ord(character):02X}", "up"]))
        path += character.upper() if spelled == "up" else spelled
    path = path if path.startswith("/") else "/" + path

    assert is_management(path)


@given(st.text(alphabet="/.%25abcp;\\", max_size=60))
def test_it_never_fails(path: str) -> None:
    assert is_management(path) in (True, False)


def test_long_paths_are_judged_and_not_remembered() -> None:
    assert is_management("/" + "x/" * 5000 + "../" * 5000 + "api/pull")
    assert not is_management("/" + quote("ü" * 5000))
