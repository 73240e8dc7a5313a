"""The group of commands."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from proxy import __version__
from proxy.cli import COMMANDS, main


def test_without_arguments_the_help_is_printed(sightglass):
    result = sightglass()

    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert [name for name in COMMANDS if name not in result.output] == []


def test_the_version_is_told(sightglass):
    assert f"sightglass, version {__version__}\n" == sightglass("--version").output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "calls"])
def test_the_list_says_of_each_command_what_its_help_says_first(name):
    module, short = COMMANDS[name]
    command = getattr(importlib.import_module(module), module.rpartition(".")[2])

    assert command.name == name
    assert short == command.help.partition("\n")[0]


def commands(group, above=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))


def test_every_command_and_every_option_has_a_help_that_fits_a_terminal(sightglass):
    for path, command in commands(main):
        result = sightglass(*path, "--help")

        assert result.exit_code == 0, path
        assert max(map(len, result.output.splitlines())) <= 80, path
        assert [
            option.name for option in command.params if isinstance(option, click.Option) and not option.help
        ] == [], path


def test_an_unknown_command_is_told(sightglass):
    result = sightglass("serv")

    assert result.exit_code == 2
    assert "No such command 'serv'" in result.output


def test_listing_commands_imports_none_of_the_heavy_parts():
    code = (
        "import sys; from proxy.cli import main; main(['--help'], standalone_mode=False)\n"
        "print([m for m in ('aiohttp', 'sqlalchemy', 'pydantic', 'yaml', 'http.client') if m in sys.modules])"
    )

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert printed.splitlines()[-1] == "[]"


def test_serve_imports_neither_servers_nor_sql(tmp_path):
    code = (
        "import sys, proxy.supervisor; proxy.supervisor.launch = lambda *a, **m: None\n"
        "from proxy.cli import main; main(['serve'], standalone_mode=False)\n"
        "print([m for m in ('aiohttp', 'sqlalchemy', 'http.client', 'proxy.relay') if m in sys.modules])"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert run.stdout.splitlines()[-1] == "[]"
