"""How a relay leaves when another has taken its place: nobody is refused, no stream is cut.

It takes no new connection. Those that are open may still bring a call, which is answered with `Connection: close`: a
client that is sending just now cannot know. What stays unused for a while is closed. The rest takes its time.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from proxy.relay.handler import RelayHandler
from proxy.relay.listener import ClientConnection, Listener

# A connection that was unused for so long is closed: a client sends in this very moment less often than it breathes.
UNUSED_S: Final = 5.0
_LOOK_S: Final = 0.1


async def retire(handler: RelayHandler, listener: Listener, leave: asyncio.Event) -> None:
    """Until the last connection is gone, or `leave` is set."""
    loop = asyncio.get_running_loop()
    handler.retiring = True
    unused_since: dict[Any, float] = {}
    while listener.connections and not leave.is_set():
        now = loop.time()
        waiting = [each for each in cast(list[ClientConnection], listener.connections) if each.waits_for_request]
        unused_since = {each: unused_since.get(each, now) for each in waiting}
        for connection, since in unused_since.items():
            if now - since >= UNUSED_S:
                connection.force_close()
        await asyncio.sleep(_LOOK_S)
