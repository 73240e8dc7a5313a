"""All of it in order: find the file, read the sources, judge types, judge the rest, tell all mistakes together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from proxy.core.config import Config, Section
from proxy.settings.access import check_public
from proxy.settings.checks import check
from proxy.settings.mistakes import Found, Mistake, SettingsError
from proxy.settings.schema import Path as SettingPath
from proxy.settings.schema import dotted, settings_of
from proxy.settings.sources import from_command_line, from_environment, from_file, merge
from proxy.settings.validation import to_config

# Looked for, in this order, when neither --config nor SIGHTGLASS_CONFIG names a file. The second is the container's.
DEFAULT_FILES: Final = (Path("sightglass.yaml"), Path("/etc/sightglass/sightglass.yaml"))


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that can be used. origins: each value's dotted path -> `default`, `file F:LINE`, `environment NAME`
    or `command line --option`, in the schema's order. file: what was read; None = there was none.
    """

    config: Config
    origins: dict[str, str]
    file: Path | None

    def values(self) -> dict[str, object]:
        """Each value by its dotted path, as in `origins`."""
        return {dotted(path): value for path, value in values(self.config).items()}


def load(
    *,
    config_file: Path | None = None,
    environ: Mapping[str, str],
    command_line: Mapping[str, object],
    serving: bool = True,
) -> Loaded:
    """Read everything. command_line: setting name -> value, None where the option was not given.

    serving: somebody is about to serve with it, so a public bind needs client keys and an admin token.
    Raises SettingsError with every mistake there is.
    """
    file, asked_by = find_file(config_file, environ)
    in_file, mistakes = from_file(file, asked_by=asked_by) if file else ([], [])
    in_environment, more = from_environment(environ)
    in_command_line = from_command_line(command_line)
    mistakes += more
    merged, origins = merge(in_file + in_environment + in_command_line)
    config, more, wrong = to_config(merged, origins)
    mistakes += more
    config = _home_expanded(config)
    found_wrong = [*check(config, environ, set(origins)), *(check_public(config, environ) if serving else ())]
    mistakes += [_told(found, origins) for found in found_wrong if not _follows(found, wrong)]
    if mistakes:
        raise SettingsError(mistakes)
    kinds = {s.origin: f"file {s.origin}" for s in in_file}
    kinds |= {s.origin: f"environment {s.origin}" for s in in_environment}
    kinds |= {s.origin: f"command line {s.origin}" for s in in_command_line}
    said = {path: kinds[origins[path]] if path in origins else "default" for path in values(config)}
    return Loaded(config=config, origins={dotted(path): origin for path, origin in said.items()}, file=file)


def find_file(config_file: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The file to read, or None, and what named it."""
    if config_file is not None:
        return config_file, "--config"
    if named := environ.get("SIGHTGLASS_CONFIG", "").strip():
        return Path(named), "SIGHTGLASS_CONFIG"
    for usual in DEFAULT_FILES:
        if usual.exists():
            return usual, str(usual)
    return None, ""


def _home_expanded(config: Config) -> Config:
    """`~/data` as a shell would read it, since files and variables are read by no shell."""
    upstreams = {
        name: msgspec.structs.replace(upstream, key_file=str(Path(upstream.key_file).expanduser()))
        if upstream.key_file and upstream.key_file.startswith("~")
        else upstream
        for name, upstream in config.upstreams.items()
    }
    data = str(Path(config.data).expanduser()) if config.data.startswith("~") else config.data
    access = config.access
    if access.token_file and access.token_file.startswith("~"):
        access = msgspec.structs.replace(access, token_file=str(Path(access.token_file).expanduser()))
    return msgspec.structs.replace(config, data=data, upstreams=upstreams, access=access)


def _follows(found: Found, wrong: set[SettingPath]) -> bool:
    """Whether it may only follow from another mistake, told already."""
    return not wrong.isdisjoint({found.path, *found.besides})


def _told(found: Found, origins: dict[SettingPath, str]) -> Mistake:
    paths = [path for path in (found.path, *found.besides, found.path[:-1]) if path in origins]
    return Mistake(
        path=dotted(found.path),
        expected=found.expected,
        came=found.came,
        origin=origins[paths[0]] if paths else "",
        hint=found.hint,
    )


def values(config: Config) -> dict[SettingPath, object]:
    """Each value that the settings have, by path, in the schema's order; of named ones, of those that are there."""
    found: dict[SettingPath, object] = {}

    def walk(section: Section, path: SettingPath) -> None:
        for name, setting in settings_of(type(section)).items():
            value = getattr(section, name)
            if isinstance(value, Section):
                walk(value, (*path, name))
            elif setting.form == "named" and value:
                for entry, inner in value.items():
                    walk(inner, (*path, name, entry))
            else:
                found[*path, name] = value

    walk(config, ())
    return found
