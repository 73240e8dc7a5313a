"""All dashboards, in the order of the menu."""

from __future__ import annotations

from typing import Final

from scripts.dashboards.itself import ITSELF
from scripts.dashboards.latency import LATENCY
from scripts.dashboards.overview import OVERVIEW
from scripts.dashboards.quality import QUALITY
from scripts.dashboards.tools import TOOLS
from scripts.dashboards.upstreams import UPSTREAMS
from scripts.dashboards.usage import USAGE

PAGES: Final = (OVERVIEW, LATENCY, USAGE, TOOLS, UPSTREAMS, QUALITY, ITSELF)
