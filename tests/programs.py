"""Programs that some tests run beside Python's."""

from __future__ import annotations

import os
import shutil

import pytest


def require_program(name: str) -> str:
    """Path of the program. Without it the test is skipped by name; under CI=true it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed, and CI must not leave its tests out")
    pytest.skip(f"{name} is not installed")
