"""Options that every command with settings has."""

from __future__ import annotations

import click
import pytest

from proxy.cli.demo import demo
from proxy.cli.doctor import doctor
from proxy.cli.options import load_settings
from proxy.cli.serve import serve
from proxy.core.config import Config
from proxy.settings.schema import setting_at


def test_each_option_is_a_setting_and_its_help_has_the_default():
    for option in serve.params:
        assert isinstance(option, click.Option)
        if option.name in ("config", "recover"):
            continue
        setting = setting_at((option.name,))
        assert setting is not None
        assert f"[default: {setting.default}]" in option.help


@pytest.mark.parametrize("command", [demo, doctor])
def test_commands_share_them(command):
    settings = {option.name for option in serve.params} - {"recover"}  # an action of a start, no setting

    assert settings <= {option.name for option in command.params}


def test_options_not_given_leave_the_defaults():
    options = {option.name: None for option in serve.params if option.name != "recover"}

    assert load_settings(options).config == Config()
