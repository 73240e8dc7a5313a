"""The command line. Each command is a module; it is imported when it is called, so that `serve` starts fast."""

from __future__ import annotations

import importlib
from typing import Final

import click

from proxy import __version__

# Name -> module, and what the list of commands says of it. The command in the module is called like the module.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "serve": ("proxy.cli.serve", "Run the proxy before your Ollama, LiteLLM or OpenAI-style server."),
    "demo": ("proxy.cli.demo", "Run the proxy; with no server there, before a built-in stand-in model."),
    "calls": ("proxy.cli.calls", "Print the calls that were seen."),
    "events": ("proxy.cli.events", "Print what changed at the upstreams, the newest last."),
    "reload": ("proxy.cli.reload", "Take over new settings, without refusing or cutting a call."),
    "drift": ("proxy.cli.drift", "Notice that a model changed, and stay silent when it did not."),
    "keys": ("proxy.cli.keys", "Give clients keys, list them, revoke them."),
    "token": ("proxy.cli.token", "Say where the console's admin token is; make it if there is none."),
    "doctor": ("proxy.cli.doctor", "Look for what is wrong, and say what to do about it."),
    "config": ("proxy.cli.config", "Show the settings and where each came from."),
    "rules": ("proxy.cli.rules", "Print recording and alert rules for Prometheus."),
    "stand-in": ("proxy.cli.stand_in", "Serve the built-in stand-in model, which behaves like Ollama."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = COMMANDS[cmd_name][0]
        command = getattr(importlib.import_module(module), module.rpartition(".")[2])
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="sightglass")
@click.pass_context
def main(context: click.Context) -> None:
    """A transparent pipe with a window in it, before Ollama, LiteLLM or any OpenAI-style server.

    Point your client's base_url at Sightglass. Every call goes on unchanged, and is measured, priced and kept.

    \b
      sightglass serve --upstream http://127.0.0.1:11434
      sightglass calls --follow
      sightglass doctor
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
