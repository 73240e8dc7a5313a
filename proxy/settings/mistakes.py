"""How a mistake in the settings is told: what was expected, what came, from where, what to do. Never a secret."""

from __future__ import annotations

import difflib
import re
from typing import Final

import msgspec

from proxy.settings.schema import Path, dotted, every_setting, setting_at, settings_of

_USERINFO: Final = re.compile(r"//[^/@\s]*@")  # user:password@ in an address
_KEY: Final = re.compile(r"((api|master|secret|auth)[_-]?)?(key|token|secret|password)")
_LONGEST_CAME: Final = 80
HIDDEN: Final = "something that is not shown, as it may be the key"


class Mistake(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake. `origin` is a variable, an option or file:line; empty when nothing was said anywhere."""

    path: str
    expected: str
    came: str
    origin: str = ""
    hint: str = ""

    def __str__(self) -> str:
        origin = f" (from {self.origin})" if self.origin else ""
        hint = f": {self.hint}" if self.hint else ""
        return f"{self.path}: expected {self.expected}, came {self.came}{origin}{hint}"


class Found(msgspec.Struct, frozen=True):
    """One thing wrong with the settings at `path`; `besides` are the other settings it follows from."""

    path: Path
    expected: str
    came: str
    hint: str = ""
    besides: tuple[Path, ...] = ()


class SettingsError(ValueError):
    """The settings cannot be used. Its text is all mistakes, one a line."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class UnusableError(ValueError):
    """A value of the right type that cannot be used, in a mistake's words. Never holds a secret."""

    def __init__(self, expected: str, came: str, hint: str = "") -> None:
        super().__init__(f"expected {expected}, came {came}: {hint}")
        self.expected, self.came, self.hint = expected, came, hint


def said(value: object) -> str:
    """A value as a reader knows it, bounded, with passwords in addresses struck out."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple() | set():
            return "a list" if value else "an empty list"
        case str():
            text = repr(_USERINFO.sub("//***@", value))
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST_CAME else f"{text[: _LONGEST_CAME - 4]}...{text[-1]}"


def unknown(path: Path, origin: str) -> Mistake:
    """A name that is no setting, with the nearest one that is. What it was set to is not told: it may be a key."""
    nearest = _nearest(path)
    return Mistake(
        path=dotted(path),
        expected="the name of a setting",
        came=repr(path[-1]),
        origin=origin,
        hint=f"did you mean {nearest}?" if nearest else "`sightglass config show` lists them all",
    )


def _nearest(path: Path) -> str | None:
    """What may have been meant: a neighbour's name, else a setting elsewhere of the same name, else a near one."""
    *above, name = path
    section = setting_at(tuple(above))
    siblings = list(settings_of(section.of)) if section is not None and section.of and section.form == "section" else []
    if "key_env" in siblings and _KEY.fullmatch(name):
        return f"{dotted((*above, 'key_env'))}, the name of the variable that holds the key"
    if near := difflib.get_close_matches(name, siblings, n=1, cutoff=0.6):
        return dotted((*above, near[0]))
    everywhere = {dotted(known): setting.name for known, setting in every_setting() if "<name>" not in known}
    joined = "_".join(path)  # console: {port: ...} is console_port, and so on
    if joined in everywhere:
        return joined
    if same := [known for known, last in everywhere.items() if last == name]:
        return same[0]
    near = difflib.get_close_matches(dotted(path), everywhere, n=1, cutoff=0.75)
    return near[0] if near else None
