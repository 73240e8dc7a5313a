"""What a real browser makes of us: the console's login and its cookie, and pages of strangers that want in."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.product import Product
from tests.e2e.browser import browsing
from tests.e2e.conftest import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FRIEND = "https://chat.example.com"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    env = {"SIGHTGLASS_ACCESS__CONSOLE_LOGIN": "required", "SIGHTGLASS_ALLOWED_ORIGINS": f'["{FRIEND}"]'}
    yield from running(Product(tmp_path, env=env))


class Empty(http.server.BaseHTTPRequestHandler):
    """A stranger's page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>stranger</title>")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    """Address of a page of another site."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://stranger.example:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_login_and_strangers(product: Product, stranger: str, tmp_path: Path) -> None:
    token, console = (product.data / "admin-token").read_text().strip(), product.console_url
    chat = f"{product.url}/v1/chat/completions"
    async with browsing(tmp_path) as page:
        # A person logs in, and scripts do not see the cookie.
        asked = await page.go(console)
        assert await page.run("location.pathname") == "/login"
        inside = await page.submit(token=token)
        assert "Log out" in inside
        assert "Log out" not in asked
        (cookie,) = (await page.do("Network.getCookies", urls=[console]))["cookies"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        assert await page.run("document.cookie") == ""
        assert await page.run("fetch('/api/calls').then(answer => answer.status)") == 200

        # A stranger's page has the browser, not the cookie; it can neither read nor write.
        await page.go(stranger)
        for path in ("/api/calls", "/metrics", "/health"):
            said = await page.run(f"fetch('{console}{path}', {{credentials: 'include'}}).then(a => a.text())")
            assert said.startswith("TypeError: Failed to fetch"), path
        await page.run(f"fetch('{console}/logout', {{method: 'POST', mode: 'no-cors', credentials: 'include'}})")
        said = await page.run(
            f"fetch('{chat}', {{method: 'POST', body: '{{\"model\":\"chat\"}}'}}).then(a => a.text())"
        )
        assert said.startswith("TypeError: Failed to fetch")
        await page.run(f"fetch('{chat}', {{method: 'POST', mode: 'no-cors', body: '{{\"model\":\"chat\"}}'}})")
        rows = product.wait_rows(2)
        assert {(row["outcome"], row["error_type"], row["attempts"]) for row in rows} == {
            ("refused", "origin_refused", 0)
        }

        # The session is still there, until its owner ends it. Then five wrong tokens close the door to the right one.
        assert "Log out" in await page.go(console)
        await page.submit()
        assert await page.run("location.pathname") == "/login"
        for _ in range(5):
            assert "That is not the admin token." in await page.submit(token="sga-" + "0" * 40)
        assert "Too many tries." in await page.submit(token=token)
        assert await page.run("fetch('/api/calls').then(answer => answer.status)") == 401
