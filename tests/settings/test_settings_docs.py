"""docs/settings.md and config/sightglass.yaml are what scripts/settings_docs.py writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from proxy.settings.schema import dotted, every_setting

ROOT = Path(__file__).parents[2]


def test_the_written_settings_are_current():
    run = subprocess.run(
        [sys.executable, "scripts/settings_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_every_setting_is_documented():
    page = (ROOT / "docs/settings.md").read_text()

    assert [
        dotted(path) for path, setting in every_setting() if not setting.of and f"`{dotted(path)}`" not in page
    ] == []
