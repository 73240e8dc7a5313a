"""What each setting may be, read off the structs of `proxy.core.config`. Nothing is stated twice."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from proxy.core.config import Config, Section

Form = Literal["text", "texts", "number", "whole", "truth", "word", "section", "named"]
Path = tuple[str, ...]
_ODD: Final = re.compile(r"[^\w*<>-]")

ADDRESS: Final = "an address such as http://127.0.0.1:11434"
_FORMS: Final[dict[object, Form]] = {str: "text", int: "whole", float: "number", bool: "truth"}
_ADDRESSES: Final = frozenset({"upstream", "url"})  # text that must be an address, see checks


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a section, or one named entry. `of` is the struct below: of a section, or of each named entry."""

    name: str
    form: Form
    description: str
    default: object = msgspec.UNSET  # UNSET: it must be given
    optional: bool = False
    words: tuple[str, ...] = ()
    bounds: dict[str, float] = {}  # gt, ge, lt, le
    of: type[Section] | None = None

    @property
    def required(self) -> bool:
        return self.default is msgspec.UNSET

    def expected(self) -> str:
        """In words for a reader: `a whole number from 0 to 65535`."""
        if self.name in _ADDRESSES:
            return ADDRESS
        match self.form:
            case "word":
                return f"{', '.join(self.words[:-1])} or {self.words[-1]}"
            case "truth":
                return "true or false"
            case "text":
                return "text"
            case "texts":
                return "a list of texts"
            case "section":
                return "settings, each on its own line below, indented"
            case "named":
                return "names, each with its settings below, indented"
            case "whole":
                unit = " of bytes" if self.name.endswith("_bytes") else ""
                return f"a whole number{unit}{self._range()}"
            case "number":
                return f"a number{self._range()}"

    def below(self, name: str) -> Setting | None:
        """What `name` is in this section, or among these named ones."""
        if self.of is None:
            return None
        if self.form == "named":
            return Setting(name=name, form="section", description=self.description, of=self.of)
        return settings_of(self.of).get(name)

    def _range(self) -> str:
        low, high = self.bounds.get("ge"), self.bounds.get("le")
        if low is not None and high is not None:
            return f" from {low:g} to {high:g}"
        said = {"gt": " greater than", "ge": ", at least", "lt": " less than", "le": ", at most"}
        return "".join(f"{said[name]} {value:g}" for name, value in self.bounds.items())


ROOT: Final = Setting(name="", form="section", description="", of=Config)


@cache
def settings_of(section: type[Section]) -> dict[str, Setting]:
    """The settings of a struct by name, in the order written there."""
    hints = get_type_hints(section, include_extras=True)
    return {field.name: _setting(field, hints[field.name]) for field in msgspec.structs.fields(section)}


def setting_at(path: Path) -> Setting | None:
    """The setting a path leads to, the root for (); None when there is none. Any name is an entry of named ones."""
    setting: Setting | None = ROOT
    for part in path:
        setting = setting.below(part) if setting is not None else None
    return setting


def every_setting(section: type[Section] = Config, under: Path = ()) -> Iterator[tuple[Path, Setting]]:
    """All settings with their paths, sections and named ones before what is in them; a name is written `<name>`."""
    for setting in settings_of(section).values():
        path = (*under, setting.name)
        yield path, setting
        if setting.of is not None:
            yield from every_setting(setting.of, (*path, "<name>") if setting.form == "named" else path)


def dotted(path: Path) -> str:
    """A path as people write it; odd names go in brackets: prices["qwen3:0.6b"].input_usd_per_mtok."""
    said = ""
    for part in path:
        said += f'["{part}"]' if _ODD.search(part) else f".{part}" if said else part
    return said


def _setting(field: msgspec.structs.FieldInfo, hint: Any) -> Setting:
    description, optional = "", False
    bounds: dict[str, float] = {}
    while True:  # peel Annotated and `| None`, outermost first
        origin = get_origin(hint)
        if origin is Annotated:
            for meta in reversed(hint.__metadata__):
                description = description or meta.description or ""
                bounds |= {name: v for name in ("gt", "ge", "lt", "le") if (v := getattr(meta, name)) is not None}
            hint = hint.__origin__
        elif origin in (Union, types.UnionType):
            (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
            optional = True
        else:
            break
    form, words, of = _form(hint)
    default: object = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return Setting(
        name=field.name,
        form=form,
        description=description or (of.__doc__ or "" if of else "").partition("\n")[0],
        default=msgspec.UNSET if default is msgspec.NODEFAULT else default,
        optional=optional,
        words=words,
        bounds=bounds,
        of=of,
    )


def _form(hint: Any) -> tuple[Form, tuple[str, ...], type[Section] | None]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "word", args, None
    if origin is tuple and args == (str, ...):
        return "texts", (), None
    if origin is dict and args[0] is str and issubclass(args[1], Section):
        return "named", (), args[1]
    if isinstance(hint, type) and issubclass(hint, Section):
        return "section", (), hint
    if hint in _FORMS:
        return _FORMS[hint], (), None
    raise TypeError(f"proxy.settings.schema knows no form for {hint!r}; teach it here")
