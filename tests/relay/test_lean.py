"""A relay process starts without aiohttp's client, which it has no use for; who asks for it gets it."""

from __future__ import annotations

import subprocess
import sys


def told(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_a_relay_imports_no_client_and_no_application() -> None:
    loaded = told("import proxy.relay_app, sys; print(*sys.modules)").split()

    assert "aiohttp.web_protocol" in loaded
    assert not {"aiohttp.client", "aiohttp.connector", "aiohttp.web", "aiohttp.web_app"} & set(loaded)


def test_the_whole_package_comes_when_it_is_asked_for() -> None:
    names = told(
        "import proxy.relay_app, aiohttp, sys\n"
        "from proxy.relay.incoming import StreamReader\n"
        "print(aiohttp.ClientSession.__name__, aiohttp.StreamReader is StreamReader, aiohttp.__version__ != '')\n"
        "from aiohttp import web\n"
        "print(web.Application.__name__, hasattr(aiohttp, 'no_such_name'))"
    )

    assert names.split() == ["ClientSession", "True", "True", "Application", "False"]


def test_one_that_was_imported_before_stays() -> None:
    assert told("import aiohttp, proxy.relay; print(type(aiohttp).__name__)").strip() == "module"
