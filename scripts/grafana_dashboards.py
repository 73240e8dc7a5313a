"""Writes config/grafana/dashboards from scripts/dashboards. With --check: only says whether they are current.

python -m scripts.grafana_dashboards [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.dashboards.building import page_json
from scripts.dashboards.pages import PAGES

FOLDER = Path(__file__).resolve().parent.parent / "config" / "grafana" / "dashboards"


def main() -> int:
    """Write, or check. Gives the exit status."""
    wanted = {FOLDER / f"{page.uid}.json": page_json(page) for page in PAGES}
    there = set(FOLDER.glob("*.json"))
    stale = [path for path, text in wanted.items() if path not in there or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in (*stale, *(there - wanted.keys())):
            print(f"{path.name} is not current: run python -m scripts.grafana_dashboards")
        return bool(stale or there - wanted.keys())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in there - wanted.keys():
        path.unlink()
    for path in stale:
        path.write_text(wanted[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
