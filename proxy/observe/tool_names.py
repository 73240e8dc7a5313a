"""Names of tools as label values: capped, as requests choose them and models make some up."""

from __future__ import annotations

from typing import Final

from proxy.core.tool_event import ToolEvent
from proxy.observe.families import NONE, OTHER

TOOLS: Final = 50
_CHARACTERS: Final = 64  # OpenAI allows no more


class ToolNames:
    """The first names that were offered, or called in earnest."""

    def __init__(self, most: int = TOOLS) -> None:
        self.refused = 0  # times that a name became `other`
        self._most = most
        self._names: set[str] = set()

    def label(self, event: ToolEvent, *, proven: bool) -> str:
        """The label value for the tool of an event. proven: an upstream took the event's call."""
        if event.tool is None:
            return NONE
        name = event.tool[:_CHARACTERS]
        if name in self._names:
            return name
        if proven and len(self._names) < self._most and (event.kind == "offered" or event.valid):
            self._names.add(name)
            return name
        self.refused += 1
        return OTHER
