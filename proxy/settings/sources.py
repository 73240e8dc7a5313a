"""What was said, and where: YAML file, SIGHTGLASS_* environment, command line. Values are not judged here.

Each source gives what it says as (path, value, origin) in the order said; `merge` lays them over each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec
import yaml

from proxy.core.config import Config
from proxy.settings.mistakes import Mistake, said, unknown
from proxy.settings.schema import ROOT, Path, Setting, dotted, setting_at, settings_of

PREFIX: Final = "SIGHTGLASS_"
# Kubernetes puts these into each pod beside a service called `sightglass`; they are not meant for us.
_KUBERNETES: Final = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$")
_KUBERNETES_PORT: Final = re.compile(r"(tcp|udp|sctp)://")


class Said(msgspec.Struct, frozen=True):
    """One thing said. A section that was named has a statement of its own, with the value {}."""

    path: Path
    value: Any
    origin: str


# --- file ---


def from_file(file: FilePath, *, asked_by: str) -> tuple[list[Said], list[Mistake]]:
    """What a YAML file says. asked_by: what named the file, for the mistake that it cannot be read."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return [], [_config_mistake("a file that exists", said(str(file)), asked_by)]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return [], [_config_mistake("a file that can be read", said(str(file)), asked_by, reason)]
    except UnicodeDecodeError:
        return [], [_config_mistake("text in UTF-8", "other bytes", str(file))]
    try:
        reading = _Reading(text, file)
    except yaml.MarkedYAMLError as error:
        return [], [_syntax(error, file)]
    except yaml.YAMLError as error:  # a control character
        return [], [_config_mistake("YAML", "a control character", str(file), str(error).splitlines()[0])]
    return reading.statements, reading.mistakes


class _Reading:
    """One pass over a YAML file's nodes, which still know their lines."""

    def __init__(self, text: str, file: FilePath) -> None:
        self.statements: list[Said] = []
        self.mistakes: list[Mistake] = []
        self._file = file
        self._loader = yaml.SafeLoader(text)
        root = self._loader.get_single_node()
        if isinstance(root, yaml.MappingNode):
            self._read(root, (), ROOT)
        elif root is not None and root.tag != "tag:yaml.org,2002:null":  # neither empty nor comments only
            self.mistakes.append(_config_mistake("settings, as `name: value` lines", "something else", self._at(root)))

    def _read(self, node: yaml.MappingNode, path: Path, section: Setting) -> None:
        self._note_doubles(node, path)
        self._loader.flatten_mapping(node)  # `<<: *shared` comes first, so that what is said here wins
        for key, value in node.value:
            name = self._loader.construct_object(key, deep=True)
            here = (*path, str(name))
            origin = self._at(key)
            setting = section.below(str(name))
            if not isinstance(name, str):
                hint = f'put it in quotes: "{key.value}"' if isinstance(key, yaml.ScalarNode) else ""
                self.mistakes.append(
                    Mistake(path=dotted(here), expected="a name", came=said(name), origin=origin, hint=hint)
                )
            elif setting is None:
                self.mistakes.append(unknown(here, origin))
            elif setting.of is not None and isinstance(value, yaml.MappingNode):
                self.statements.append(Said(here, {}, origin))
                self._read(value, here, setting)
            else:
                came = self._loader.construct_object(value, deep=True)
                if setting.of is None or came is None:
                    self.statements.append(Said(here, came, origin))
                else:
                    expected = setting.expected()
                    self.mistakes.append(Mistake(path=dotted(here), expected=expected, came=said(came), origin=origin))

    def _note_doubles(self, node: yaml.MappingNode, path: Path) -> None:
        first: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in first:
                hint = f"the first is in line {first[name]}; keep one"
                where = dotted((*path, name))
                self.mistakes.append(
                    Mistake(path=where, expected="each name once", came="a second", origin=self._at(key), hint=hint)
                )
            first.setdefault(name, line)

    def _at(self, node: yaml.Node) -> str:
        return f"{self._file}:{node.start_mark.line + 1}"


def _config_mistake(expected: str, came: str, origin: str, hint: str = "") -> Mistake:
    return Mistake(path="config", expected=expected, came=came, origin=origin, hint=hint)


def _syntax(error: yaml.MarkedYAMLError, file: FilePath) -> Mistake:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "not readable"
    origin = f"{file}:{mark.line + 1}" if mark else str(file)
    if "'\\t'" in problem:
        return _config_mistake("spaces to indent", "a tab", origin)
    came = f"a syntax error ({problem}{f', column {mark.column + 1}' if mark else ''})"
    return _config_mistake("YAML", came, origin)


# --- environment ---


def from_environment(environ: Mapping[str, str]) -> tuple[list[Said], list[Mistake]]:
    """What SIGHTGLASS_* variables say. An empty variable says nothing, as compose files pass unset ones empty."""
    statements: list[Said] = []
    mistakes: list[Mistake] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or not text.strip() or _not_ours(variable, text):
            continue
        path = tuple(variable[len(PREFIX) :].lower().split("__"))
        setting = setting_at(path)
        if setting is None or "" in path:
            mistakes.append(_unknown_variable(path, variable))
        elif setting.of is not None:
            statements.extend(_flat(path, _json(text), setting, variable))
        elif setting.form == "texts":
            statements.append(Said(path, _texts(text), variable))
        else:
            statements.append(Said(path, text.strip(), variable))
    return statements, mistakes


def _not_ours(variable: str, text: str) -> bool:
    if variable == f"{PREFIX}CONFIG" or variable.startswith(f"{PREFIX}INTERNAL_"):
        return True
    from_kubernetes = variable.endswith("_PORT") and _KUBERNETES_PORT.match(text)
    return bool(from_kubernetes or _KUBERNETES.search(variable))


def _unknown_variable(path: Path, variable: str) -> Mistake:
    mistake = unknown(path, variable)
    for name, setting in settings_of(Config).items():  # SIGHTGLASS_LIMITS_CONNECT_S: one underscore where two belong
        rest = path[0].removeprefix(f"{name}_")
        if len(path) == 1 and setting.form == "section" and setting.below(rest) is not None:
            hint = f"did you mean {PREFIX}{name.upper()}__{rest.upper()}, with two underscores?"
            return msgspec.structs.replace(mistake, hint=hint)
    return mistake


def _flat(path: Path, value: Any, setting: Setting | None, origin: str) -> Iterator[Said]:
    """A whole section, or whole named entries, said in one variable as JSON."""
    if isinstance(value, dict) and setting is not None and setting.of is not None:
        yield Said(path, {}, origin)
        for name, inner in value.items():
            yield from _flat((*path, name), inner, setting.below(name), origin)
    else:
        yield Said(path, value, origin)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _texts(text: str) -> list[Any]:
    """`a, b` or a JSON list."""
    value = _json(text)
    if isinstance(value, list):
        return value
    return [part for part in map(str.strip, text.split(",")) if part]


# --- command line ---


def from_command_line(options: Mapping[str, object]) -> list[Said]:
    """What options say: setting name (dotted when nested) -> value; None says nothing."""
    return [
        Said(tuple(name.split(".")), value, f"--{name.replace('_', '-').replace('.', '-')}")
        for name, value in options.items()
        if value is not None
    ]


# --- all together ---


def merge(statements: list[Said]) -> tuple[dict[str, Any], dict[Path, str]]:
    """Nested values, later ones winning, and the origin of each path said. An empty section says nothing."""
    values: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    for statement in statements:
        into: dict[str, Any] = values
        path: Path = ()
        for part in statement.path:
            above = setting_at(path)
            named = above is not None and above.form == "named"
            path = (*path, _known_as(part, into) if named else part)
            if len(path) < len(statement.path):
                into = _section(into, path, origins, statement.origin)
        setting = setting_at(path)
        if setting is not None and setting.of is not None and statement.value in (None, {}):
            _section(into, path, origins, statement.origin)
        else:
            into[path[-1]] = statement.value
            origins[path] = statement.origin
    return values, origins


def _section(into: dict[str, Any], path: Path, origins: dict[Path, str], origin: str) -> dict[str, Any]:
    """The mapping at a path, made when it is not there yet."""
    below = into.get(path[-1])
    if not isinstance(below, dict):
        below = into[path[-1]] = {}
        origins[path] = origin
    return below


def _known_as(name: str, entries: dict[str, Any]) -> str:
    """The name an entry already has: a variable can say `qwen3:0.6b` only as QWEN3_0_6B."""
    same = [known for known in entries if re.sub(r"[^a-z0-9]", "_", known.lower()) == name]
    return same[0] if name not in entries and len(same) == 1 else name
