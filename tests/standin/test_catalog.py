"""What models there are, entry by entry as a real server lists them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from proxy.standin.server import StandIn
from proxy.standin.settings import Settings

from .peer import OLLAMA, ask, body_of, chunk_sizes_fit, get, post, response_of


def shape(value: Any) -> Any:
    """Keys in order and kinds of values."""
    if isinstance(value, dict):
        return [(key, shape(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def recorded(name: str) -> Any:
    return json.loads(body_of(response_of(name)))


@pytest.mark.parametrize("folder", OLLAMA)
@pytest.mark.parametrize(("name", "path"), [("native-tags", "/api/tags"), ("models", "/v1/models")])
async def test_lists_have_entries_as_recorded(folder: str, name: str, path: str) -> None:
    async with StandIn(settings=Settings(style="old" if folder.endswith("24") else "new")) as stand_in:
        got = await ask(stand_in, get(path))

    assert shape(recorded(f"{folder}/{name}")) == shape(json.loads(body_of(got)))
    assert response_of(f"{folder}/{name}").split(b"\r\n")[:2] == got.split(b"\r\n")[:2]
    assert chunk_sizes_fit(got)


@pytest.mark.parametrize("folder", OLLAMA)
async def test_ps_and_show_are_as_recorded(folder: str) -> None:
    async with StandIn(settings=Settings(style="old" if folder.endswith("24") else "new")) as stand_in:
        await ask(stand_in, post("/api/generate", {"model": "chat"}))
        ps = await ask(stand_in, get("/api/ps"))
        show = await ask(stand_in, post("/api/show", {"model": "think"}))

    assert shape(recorded(f"{folder}/native-ps")) == shape(json.loads(body_of(ps)))
    assert shape(recorded(f"{folder}/native-show")) == shape(json.loads(body_of(show)))
    info, wanted = body_of(show), body_of(response_of(f"{folder}/native-show"))
    pattern = rb'"template":.*?"details"|"model_info":\{.*?\}'
    assert re.findall(pattern, wanted) == re.findall(pattern, info)


async def test_known_by_full_or_short_name_in_any_case(stand_in: StandIn) -> None:
    for name in ("chat", "chat:latest", "Chat", "llama3.2", "llama3.2:1b", "stand-in"):
        got = await ask(stand_in, get(f"/v1/models/{name}"))

        assert f'{{"id":"{name}","object":"model"'.encode() in got


async def test_copy_and_delete_change_the_list(stand_in: StandIn) -> None:
    copied = await ask(stand_in, post("/api/copy", {"source": "chat", "destination": "mine"}))
    both = [json.loads(body_of(await ask(stand_in, post("/api/show", {"model": m})))) for m in ("chat", "mine")]
    gone = await ask(stand_in, post("/api/delete", {"model": "mine"}).replace(b"POST", b"DELETE", 1))
    missing = await ask(stand_in, get("/v1/models/mine"))

    assert copied.endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert both[0]["template"] == both[1]["template"]
    assert gone.startswith(b"HTTP/1.1 200 ")
    assert missing.startswith(b"HTTP/1.1 404 ")


async def test_no_models_are_null_here_and_an_empty_list_there(stand_in: StandIn) -> None:
    for each in stand_in.catalog.all():
        stand_in.catalog.delete(each.name)

    assert body_of(await ask(stand_in, get("/v1/models"))) == b'{"object":"list","data":null}\n'
    assert body_of(await ask(stand_in, get("/api/tags"))) == b'{"models":[]}'


async def test_other_weights_have_another_digest_and_a_template_may_be_told(stand_in: StandIn) -> None:
    async def digest(*fields: str) -> str:
        listed = json.loads(body_of(await ask(stand_in, get("/api/tags", *fields))))["models"]
        return str(listed[0]["digest"])

    shown = await ask(stand_in, post("/api/show", {"model": "chat"}, "x-stand-in: template={{ .Prompt }}"))

    assert await digest() == await digest()
    assert len({await digest(), await digest("x-stand-in: weights=v2"), await digest("x-stand-in: template=x")}) == 3
    assert json.loads(body_of(shown))["template"] == "{{ .Prompt }}"


async def test_the_version_may_be_told(stand_in: StandIn) -> None:
    got = await ask(stand_in, get("/api/version", "x-stand-in: version=0.40.1"))

    assert body_of(got) == b'{"version":"0.40.1"}'
