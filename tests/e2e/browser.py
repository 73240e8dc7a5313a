"""A real Chromium without a window, driven over its debugging socket. It reaches this machine only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs import require_program

_QUIET = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--mute-audio",
    # Every name is this machine: pages of strangers can be played here, and nothing is asked of anybody else.
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--remote-debugging-port=0", "about:blank",
)  # fmt: skip


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._session: str | None = None
        self._number = 0

    async def open(self) -> None:
        """Make the tab and listen to it."""
        target = (await self.do("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self.do("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]

    async def do(self, method: str, **parameters: object) -> dict[str, Any]:
        """A command of the debugging protocol; gives its result."""
        self._number += 1
        asked: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_json(asked | ({"sessionId": self._session} if self._session else {}))
        async with asyncio.timeout(60):
            while (told := await self._socket.receive_json()).get("id") != self._number:
                pass  # events
        assert "error" not in told, told
        result: dict[str, Any] = told["result"]
        return result

    async def run(self, script: str) -> Any:
        """What the expression comes to in the page, promises awaited; a thrown error as its text."""
        told = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        thrown = told.get("exceptionDetails")
        return thrown["exception"]["description"] if thrown else told["result"].get("value")

    async def go(self, url: str) -> str:
        """Go there, as if typed; gives the text of the page that it ends at."""
        await self.do("Page.navigate", url=url)
        return await self.settled()

    async def submit(self, **fields: str) -> str:
        """Fill in the page's form and send it; gives the text of the page that comes."""
        for name, value in fields.items():
            await self.run(f"document.forms[0].elements[{name!r}].value = {value!r}")
        await self.run("window.before = true; document.forms[0].requestSubmit()")
        return await self.settled()

    async def settled(self) -> str:
        """Text of the page once it is there, and another than the one that was left."""
        async with asyncio.timeout(60):
            while not await self.run(
                "document.readyState === 'complete' && !window.before && location.href !== 'about:blank'"
            ):
                await asyncio.sleep(0.05)
        text: str = await self.run("document.body.innerText")
        return text


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Page]:
    """A tab of a Chromium of its own."""
    argv = [require_program("chromium"), f"--user-data-dir={folder / 'chromium'}", *_QUIET]
    log = (folder / "chromium.log").open("wb")
    process = await asyncio.create_subprocess_exec(*argv, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(60):
            while not (found := re.search(rb"ws://\S+", (folder / "chromium.log").read_bytes())):
                assert process.returncode is None, (folder / "chromium.log").read_text()
                await asyncio.sleep(0.1)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(found[0].decode(), max_msg_size=0) as socket,
        ):
            page = Page(socket)
            await page.open()
            yield page
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()
