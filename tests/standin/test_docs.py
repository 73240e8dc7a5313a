"""docs/stand-in.md names everything that can be told, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from proxy.standin import faults, model, personality
from proxy.standin.settings import Settings

TEXT = (Path(__file__).parents[2] / "docs" / "stand-in.md").read_text(encoding="utf-8")


def part(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_setting_is_there() -> None:
    told = re.findall(r"^\| `(\w+)` \|", part("What can be told to it"), re.MULTILINE)

    assert [field.name for field in msgspec.structs.fields(Settings)] == told


def test_every_fault_is_there() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", part("Faults"), re.MULTILINE)
    told = {name.partition(":")[0] for row in rows for name in re.findall(r"`([\w:-]+)`", row)}

    assert set(faults.NAMES) == told


def test_every_model_and_personality_is_there() -> None:
    for each in model.ALL:
        assert f"`{each.name.removesuffix(':latest')}`" in part("What it answers")
    assert f"`{' '.join(personality.NAMES)}`" in TEXT
