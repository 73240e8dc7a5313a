"""Writes config/prometheus/rules.yml: the rules for default settings. With --check: only says whether it is current.

python scripts/prometheus_rules.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from proxy.cli.rules.printing import rules_text
from proxy.core.config import Config

RULES = Path(__file__).resolve().parent.parent / "config" / "prometheus" / "rules.yml"


def main() -> int:
    """Write, or check. Gives the exit status."""
    text = rules_text(Config())
    if "--check" not in sys.argv[1:]:
        RULES.write_text(text)
        return 0
    if RULES.is_file() and RULES.read_text() == text:
        return 0
    print("config/prometheus/rules.yml is not current: run python scripts/prometheus_rules.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
