"""docker-compose.yml, as far as it can be looked at without running it: names, ports, files and settings agree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.core.config import Config
from proxy.settings.loading import load
from tests.programs import leave_out, require_program

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROFILES = {"alertmanager": "alerts", "litellm": "litellm", "postgres": "postgres", "valkey": "valkey"}
PORTS = {"sightglass": {11435, 11436}, "prometheus": {9090}, "grafana": {3000}, "alertmanager": {9093}}


def mounts(service: str) -> list[tuple[str, str]]:
    return [tuple(volume.split(":")[:2]) for volume in SERVICES[service].get("volumes", ())]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require_program("promtool"), *arguments], capture_output=True, text=True, check=False)


def test_what_there_is_and_what_a_profile_adds() -> None:
    by_default = {name for name, service in SERVICES.items() if not service.get("profiles")}

    assert by_default == {"ollama", "sightglass", "prometheus", "grafana"}
    assert {name: service["profiles"] for name, service in SERVICES.items() if name not in by_default} == {
        name: [profile] for name, profile in PROFILES.items()
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_every_service_has_a_health_check(name: str) -> None:
    service = SERVICES[name]

    assert re.fullmatch(r"[\w./-]+:[\w.-]*\d+\.\d+[\w.-]*", service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


def test_only_loopback_of_the_host_reaches_any_port() -> None:
    published = {
        name: {tuple(port.split(":")) for port in service["ports"]}
        for name, service in SERVICES.items()
        if "ports" in service
    }

    assert published == {name: {("127.0.0.1", str(port), str(port)) for port in ports} for name, ports in PORTS.items()}
    assert {Config().port, Config().console_port} == PORTS["sightglass"]


def test_what_is_mounted_is_there_and_volumes_are_declared() -> None:
    named = set()
    for name in SERVICES:
        for source, target in mounts(name):
            assert target.startswith("/")
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                named.add(source)
    assert named == set(COMPOSE["volumes"])


def test_every_host_named_in_files_and_settings_is_a_service_with_that_port() -> None:
    listens = PORTS | {"ollama": {11434}, "litellm": {4000}}
    files = ["docker-compose.yml", "config/prometheus/prometheus.yml", "config/litellm/litellm.yaml"]
    files += ["config/grafana/provisioning/datasources/prometheus.yml"]
    found = set()
    for file in files:
        for host, port in re.findall(r"(?:http://|targets: \[\")([a-z]+):(\d+)", (ROOT / file).read_text()):
            assert int(port) in listens[host], (file, host, port)
            found.add(host)
    assert found == {"alertmanager", "litellm", "ollama", "prometheus", "sightglass"}


def test_sightglass_runs_as_nobody_and_writes_to_its_volume_only() -> None:
    service = SERVICES["sightglass"]
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert "USER 10001:10001\n" in dockerfile
    assert f"EXPOSE {' '.join(map(str, sorted(PORTS['sightglass'])))}\n" in dockerfile
    assert mounts("sightglass") == [("sightglass", "/data")]
    assert "SIGHTGLASS_DATA=/data" in dockerfile


def test_the_settings_of_sightglass_are_right() -> None:
    environ = SERVICES["sightglass"]["environment"]

    config = load(environ=environ, command_line={}).config

    assert (config.upstream, config.upstream_kind) == ("http://ollama:11434", "ollama")
    assert config.allowed_hosts == ("sightglass",)


def test_the_settings_that_wait_for_litellm_are_right() -> None:
    (upstreams,) = re.findall(r"# SIGHTGLASS_UPSTREAMS: '(.*)'", TEXT)
    environ = {**SERVICES["sightglass"]["environment"], "SIGHTGLASS_UPSTREAMS": upstreams, "LITELLM_KEY": "sk-x"}

    config = load(environ=environ, command_line={}).config

    models = yaml.safe_load((ROOT / "config/litellm/litellm.yaml").read_text())["model_list"]
    assert config.upstreams["litellm"].models == ("cloud-*",)
    assert all(model["model_name"].startswith("cloud-") for model in models)
    assert json.loads(upstreams)["litellm"]["key_env"] == "LITELLM_KEY"


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config" / "prometheus", tmp_path / "prometheus")

    run = promtool("check", "config", str(tmp_path / "prometheus" / "prometheus.yml"))

    assert run.returncode == 0, run.stderr
    assert "SUCCESS: 1 rule files found" in run.stdout


def test_alertmanager_takes_its_configuration() -> None:
    path = str(ROOT / "config" / "alertmanager" / "alertmanager.yml")

    run = subprocess.run([require_program("amtool"), "check-config", path], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    for severity, receiver in (("page", "pager"), ("ticket", "tickets"), ("other", "nobody")):
        command = [
            require_program("amtool"),
            "config",
            "routes",
            "test",
            f"--config.file={path}",
            f"severity={severity}",
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.stdout.strip() == receiver


def test_grafana_is_given_what_its_provisioning_names() -> None:
    targets = dict(map(reversed, mounts("grafana")))  # type: ignore[arg-type]
    provisioning = ROOT / targets["/etc/grafana/provisioning"]
    provider = yaml.safe_load((provisioning / "dashboards" / "sightglass.yml").read_text())["providers"][0]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert provider["options"]["path"] in targets
    folder, _, name = home.rpartition("/")
    assert json.loads((ROOT / targets[folder] / name).read_text())["uid"] == "sightglass-overview"


def test_compose_takes_the_file(tmp_path: Path) -> None:
    """Against compose's own schema, with variables filled in; no engine is needed for that."""
    command = [shutil.which("docker-compose")]
    if command[0] is None:
        leave_out("docker-compose is not installed")
    command += ["--file", str(ROOT / "docker-compose.yml")]
    for profile in PROFILES.values():
        command += ["--profile", profile]

    run = subprocess.run([*command, "config"], capture_output=True, text=True, check=False)  # type: ignore[list-item]

    assert run.returncode == 0, run.stderr
    assert set(yaml.safe_load(run.stdout)["services"]) == set(SERVICES)


@pytest.mark.slow
@pytest.mark.timeout(540)
def test_the_images_install_steps_run_in_a_clean_environment(tmp_path: Path) -> None:
    """The RUN lines of the Dockerfile's first stage, with the same files and in the same order."""
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1]
    lines = stage.replace(" \\\n", " ").splitlines()
    target = tmp_path / "opt"
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "COPY":
            *sources, into = rest.split()
            for source in sources:
                place = tmp_path / into if len(sources) == 1 else tmp_path / into / source
                place.parent.mkdir(parents=True, exist_ok=True)
                (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
        elif word == "RUN":
            # The cache of this machine may serve: what is installed is pinned by hash all the same.
            script = rest.replace("/opt/sightglass", str(target)).replace("--no-cache-dir ", "")
            script = script.replace("python -m venv", f"{sys.executable} -m venv")
            # Compiling is half of the time, and proves nothing: what is run below compiles itself.
            env = os.environ | {"PIP_NO_COMPILE": "1"}
            run = subprocess.run(
                ["sh", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stderr[-2000:]

    run = subprocess.run([target / "bin" / "sightglass", "--version"], capture_output=True, text=True, check=False)

    assert run.stdout.startswith("sightglass, version ")
    rules = subprocess.run([target / "bin" / "sightglass", "rules"], capture_output=True, text=True, check=False)
    assert rules.stdout == (ROOT / "config" / "prometheus" / "rules.yml").read_text()
