"""The unit in config/systemd agrees with the commands that it names."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from proxy.core.config import Config
from tests.programs import require_program

UNIT = Path(__file__).parents[2] / "config" / "systemd" / "sightglass.service"


def value(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return found


def test_its_commands_and_options_exist(sightglass):
    for line in ("ExecStart", "ExecReload"):
        program, command, *options = shlex.split(value(line))
        known = sightglass(command, "--help").output
        assert program.endswith("/bin/sightglass")
        assert [option for option in options if option.startswith("--") and f"{option} " not in known] == []


def test_start_and_reload_mean_the_same_data_directory():
    start, reload = shlex.split(value("ExecStart")), shlex.split(value("ExecReload"))

    assert start[start.index("--data") + 1] == reload[reload.index("--data") + 1]
    assert start[start.index("--data") + 1] == f"/var/lib/{value('StateDirectory')}"


def test_it_waits_long_enough_for_a_clean_end():
    assert int(value("TimeoutStopSec")) > Config().drain_s + 5 + 15


def test_systemd_finds_nothing_wrong(tmp_path):
    verify = require_program("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/sightglass/bin/sightglass", "/bin/true"))

    run = subprocess.run([verify, "verify", str(unit)], capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
