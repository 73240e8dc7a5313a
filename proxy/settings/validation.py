"""Types and ranges: pydantic models built from the schema. Pydantic finds all mistakes; the schema words them."""

from __future__ import annotations

from functools import cache, partial
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from proxy.core.config import Config, Section
from proxy.settings.mistakes import HIDDEN, Mistake, said, unknown
from proxy.settings.schema import Form, Path, Setting, dotted, setting_at, settings_of

Origins = dict[Path, str]
_HARMLESS: Final[dict[Form, object]] = {"text": "", "texts": [], "number": 1, "whole": 1, "truth": False}


def to_config(values: dict[str, Any], origins: Origins) -> tuple[Config, list[Mistake], set[Path]]:
    """The settings, what is wrong with them, and the paths that are. A wrong value counts as not said, so that the
    checks that follow can still look at all others.
    """
    mistakes: list[Mistake] = []
    wrong: set[Path] = set()
    while True:
        try:
            checked = _model_of(Config).model_validate(values)
        except ValidationError as error:
            errors = reversed(error.errors(include_url=False))  # of several in a list, the first is told
            found = dict(reversed({_path(one["loc"]): one for one in errors}.items()))
            mistakes += [_told(path, one["type"], one.get("input"), origins) for path, one in found.items()]
            wrong.update(found)
            for path in found:
                _drop(values, path)
        else:
            return msgspec.convert(checked.model_dump(exclude_unset=True), Config), mistakes, wrong


@cache
def _model_of(section: type[Section]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for name, setting in settings_of(section).items():
        kind = _annotation(setting)
        default = ... if setting.required else setting.default
        fields[name] = (kind | None if setting.optional else kind, default)
    # protected_namespaces: pydantic keeps `model_` for itself, we have settings called so
    config = ConfigDict(extra="forbid", protected_namespaces=(), str_strip_whitespace=True)
    return create_model(section.__name__, __config__=config, **fields)


def _annotation(setting: Setting) -> Any:
    match setting.form:
        case "text":
            return str
        case "texts":
            return tuple[str, ...]
        case "truth":
            return bool
        case "word":
            return Annotated[Literal[setting.words], BeforeValidator(partial(_any_case, setting.words))]
        case "whole":
            return Annotated[int, BeforeValidator(_no_truth), _bounds(setting)]
        case "number":
            return Annotated[float, BeforeValidator(_no_truth), _bounds(setting)]
        case "section" | "named":
            assert setting.of is not None
            below = _model_of(setting.of)
            return dict[str, below] if setting.form == "named" else below  # type: ignore[valid-type]


def _bounds(setting: Setting) -> Any:
    finite = None if setting.form == "whole" else False
    return Field(
        gt=setting.bounds.get("gt"),
        ge=setting.bounds.get("ge"),
        lt=setting.bounds.get("lt"),
        le=setting.bounds.get("le"),
        allow_inf_nan=finite,
    )


def _any_case(words: tuple[str, ...], value: object) -> object:
    """`INFO` is `info`."""
    return value.lower() if isinstance(value, str) and value.lower() in words else value


def _no_truth(value: object) -> object:
    """`workers: yes` is a slip, not 1."""
    if isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _path(loc: tuple[int | str, ...]) -> Path:
    """Where in the settings; a place inside a list counts as the list."""
    path: Path = ()
    for part in loc:
        setting = setting_at(path)
        if setting is None or setting.of is None:
            break
        path = (*path, str(part))
    return path


def _told(path: Path, kind: str, came: object, origins: Origins) -> Mistake:
    origin = _origin(path, origins)
    setting = setting_at(path)
    if setting is None:
        return unknown(path, origin)
    if kind == "missing":
        return Mistake(path=dotted(path), expected=setting.expected(), came="nothing", origin=origin)
    hint = ""
    if setting.form in ("text", "texts") and isinstance(came, int | float):
        hint = "put it in quotes"
    if setting.form == "whole" and setting.name.endswith("_bytes") and isinstance(came, str):
        hint = "write all digits; 1 MiB is 1048576"
    came = HIDDEN if setting.name.startswith("key_") and came is not None else said(came)
    return Mistake(path=dotted(path), expected=setting.expected(), came=came, origin=origin, hint=hint)


def _origin(path: Path, origins: Origins) -> str:
    """Where it was said, or what it would belong to."""
    while path and path not in origins:
        path = path[:-1]
    return origins.get(path, "")


def _drop(values: dict[str, Any], path: Path) -> None:
    """Take a value out; where one is required, put a harmless one in, so that its neighbours can still be looked at."""
    setting = setting_at(path)
    for part in path[:-1]:
        values = values[part]
    if setting is not None and setting.required and len(path) > 1 and setting.form in _HARMLESS:
        values[path[-1]] = _HARMLESS[setting.form]
    else:
        del values[path[-1]]
