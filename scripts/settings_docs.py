"""Writes docs/settings.md and config/sightglass.yaml from the schema. With --check: only says whether they are current.

python scripts/settings_docs.py [--check]
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from proxy.core.config import Config, Section
from proxy.settings.schema import Path as SettingPath
from proxy.settings.schema import Setting, dotted, every_setting, settings_of

ROOT = Path(__file__).resolve().parent.parent

YAML_HEAD = """\
# Settings of Sightglass: every one, its reason and its default.
#
# Take the # off a line to change it (prose has a space after the #, settings have none). What is not set here has
# its default. SIGHTGLASS_* variables win over this file, options of the command line over both.
#
# Read from --config FILE, else SIGHTGLASS_CONFIG, else ./sightglass.yaml, else /etc/sightglass/sightglass.yaml.
# `sightglass config show` prints what holds and where it came from; `sightglass doctor` looks whether it works.
"""

EXAMPLES = {
    "upstreams": """\
upstreams:
  litellm:
    url: https://litellm.example.com
    kind: litellm
    models: ["gpt-*", "claude-*"]
    key_env: LITELLM_KEY
  default:
    url: http://127.0.0.1:11434
    kind: ollama
""",
    "prices": """\
prices:
  "llama3.2:*":
    input_usd_per_mtok: 0.05
    output_usd_per_mtok: 0.10
""",
}

MD_HEAD = """\
# Settings

<!-- Written by scripts/settings_docs.py from proxy/core/config/. Change it there. -->

Sightglass runs without any. What you set is read in this order, and the last one that says something wins:

1. the defaults below;
2. a YAML file: the first there is of `--config FILE`, `SIGHTGLASS_CONFIG`, `./sightglass.yaml`,
   `/etc/sightglass/sightglass.yaml`. [config/sightglass.yaml](../config/sightglass.yaml) has every setting, to copy;
3. environment variables: `SIGHTGLASS_` and the name in capitals, with two underscores where the name has a dot.
   `limits.connect_s` is `SIGHTGLASS_LIMITS__CONNECT_S`. An empty variable says nothing. Lists are written with commas
   or as JSON (`gpt-*,claude-*`), whole sections as JSON. The name of an upstream or a price is taken in lower case
   (`SIGHTGLASS_UPSTREAMS__LITELLM__URL`); one that the file has already is found in whatever case it is written there;
4. options: `--upstream --host --port --console-host --console-port --data --workers`.

`sightglass config show` prints each value and where it came from. Mistakes are reported all at once, each with what was
expected and what came, and nothing starts (exit status 2). Names that are no setting are mistakes too, in the file and
in the environment; only `SIGHTGLASS_CONFIG`, `SIGHTGLASS_INTERNAL_*` and what Kubernetes sets for a service called
`sightglass` are left alone. Times are in seconds, sizes in bytes. Relative paths start at the directory that Sightglass
is started in; `~` is your home.
"""


def settings_yaml() -> str:
    """The settings file, each setting as a comment with its default."""
    return "\n".join([YAML_HEAD, *_yaml_section(Config, 0)]).rstrip() + "\n"


def _yaml_section(section: type[Section], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for setting in settings_of(section).values():
        yield from _prose(setting.description, pad)
        if setting.form == "section":
            assert setting.of is not None
            yield f"{pad}{setting.name}:"
            yield from _yaml_section(setting.of, depth + 1)
        elif setting.form == "named":
            yield from _yaml_named(setting, pad)
        else:
            yield f"{pad}#{setting.name}: {_yaml_value(setting.default)}{_readable(setting)}"
            yield ""


def _yaml_named(setting: Setting, pad: str) -> Iterator[str]:
    assert setting.of is not None
    yield from _prose("Of each:", pad)
    for inner in settings_of(setting.of).values():
        default = "required" if inner.required else f"default {_yaml_value(inner.default)}"
        said = f"{inner.name} ({default}): {inner.description}"
        yield from textwrap.wrap(said, 110, initial_indent=f"{pad}#   ", subsequent_indent=f"{pad}#     ")
    yield from _prose("Example:", pad)
    yield from (f"{pad}#   {line}" for line in EXAMPLES[setting.name].splitlines())
    yield f"{pad}#{setting.name}: {{}}"
    yield ""


def _prose(text: str, pad: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# ")


def _yaml_value(value: Any) -> str:
    value = list(value) if isinstance(value, tuple) else value
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()


def _readable(setting: Setting) -> str:
    """The unit that a big number stands for."""
    if not setting.name.endswith("_bytes") or not isinstance(setting.default, int):
        return ""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if setting.default and setting.default % size == 0:
            return f"  # {setting.default // size} {unit}"
    return ""


def settings_markdown() -> str:
    """The page for readers: a table for each section."""
    parts = [MD_HEAD]
    tables: dict[SettingPath, list[tuple[SettingPath, Setting]]] = {(): []}
    headings: dict[SettingPath, Setting] = {}
    for path, setting in every_setting():
        if setting.of is None:
            tables[path[:-1]].append((path, setting))
        else:
            into = (*path, "<name>") if setting.form == "named" else path
            tables[into], headings[into] = [], setting
    for section, rows in tables.items():
        if section:
            parts.append(f"## `{dotted(section)}`\n\n{headings[section].description}\n")
        parts.append("\n".join(_markdown_table(rows)) + "\n")
        if section and section[0] in EXAMPLES:
            parts.append(f"```yaml\n{EXAMPLES[section[0]]}```\n")
    return "\n".join(parts)


def _markdown_table(rows: list[tuple[SettingPath, Setting]]) -> Iterator[str]:
    yield "| setting | what it may be | default | what it is for |"
    yield "| --- | --- | --- | --- |"
    for path, setting in rows:
        default = "required" if setting.required else f"`{_yaml_value(setting.default)}`"
        default = "unset" if setting.default is None else default + _readable(setting).replace("  # ", ", ")
        meaning = setting.description.replace("|", "\\|").replace("*.", "\\*.").replace("(* ", "(\\* ")
        yield f"| `{dotted(path)}` | {setting.expected()} | {default} | {meaning} |"


def main() -> int:
    """Write, or compare. 1 = something is out of date."""
    written = {ROOT / "docs/settings.md": settings_markdown(), ROOT / "config/sightglass.yaml": settings_yaml()}
    stale = [path for path, text in written.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run python scripts/settings_docs.py")
        return bool(stale)
    for path in stale:
        path.write_text(written[path])
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
