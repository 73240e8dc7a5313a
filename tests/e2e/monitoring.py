"""A real Prometheus and a real Alertmanager beside a running Sightglass, with the shipped files and quick clocks."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from bench.processes import free_port, start, stop, wait_port
from bench.product import Product
from proxy.cli.rules.burning import Pair
from proxy.cli.rules.printing import rules_text
from proxy.core.config import Config, Objectives
from tests.programs import require_program

ROOT = Path(__file__).parents[2]
# The shipped windows are hours; these are seconds, so that a test sees an alert fire.
QUICK = (Pair("page", 30, 6, 2),)


class Monitoring:
    """Prometheus and Alertmanager, both for one product."""

    def __init__(self, folder: Path, product: Product) -> None:
        self.product = product
        self._folder = folder
        self._ports = {"prometheus": free_port(), "alertmanager": free_port()}
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Both, with the shipped configuration; only addresses and clocks differ."""
        shutil.copytree(ROOT / "config" / "prometheus", self._folder / "prometheus")
        config = yaml.safe_load((self._folder / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"].append("quick.yml")
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{self.product.console_port}"]
        config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [self._address("alertmanager")]
        (self._folder / "prometheus" / "prometheus.yml").write_text(yaml.safe_dump(config))
        shipped = self._folder / "prometheus" / "rules.yml"  # long windows are worked out every 2 minutes
        shipped.write_text(shipped.read_text().replace("interval: 2m", "interval: 5s"))
        quick = rules_text(Config(objectives=Objectives(min_calls=5)), QUICK)
        (self._folder / "prometheus" / "quick.yml").write_text(quick)
        self._start(
            "alertmanager",
            [
                require_program("prometheus-alertmanager"),
                f"--config.file={ROOT / 'config' / 'alertmanager' / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'alertmanager'}",
                "--cluster.listen-address=",
            ],
        )
        self._start(
            "prometheus",
            [
                require_program("prometheus"),
                f"--config.file={self._folder / 'prometheus' / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'tsdb'}",
                "--enable-feature=exemplar-storage",
            ],
        )

    def stop(self) -> None:
        """Both."""
        for process in self._running:
            stop(process, timeout_s=20)

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What Prometheus answers now; fails when it cannot parse it."""
        result: list[dict[str, Any]] = self.ask("/api/v1/query", query=expr)["result"]
        return result

    def ask(self, path: str, *, of: str = "prometheus", **parameters: str) -> Any:
        """The data of one of the two APIs."""
        url = f"http://{self._address(of)}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = json.load(answer)
        return found["data"] if of == "prometheus" else found

    def _start(self, name: str, argv: list[str]) -> None:
        log = self._folder / f"{name}.log"
        process = start([*argv, f"--web.listen-address={self._address(name)}"], log=log, cwd=self._folder)
        self._running.append(process)
        wait_port(self._ports[name], process, log=log)

    def _address(self, name: str) -> str:
        return f"127.0.0.1:{self._ports[name]}"


def wait_until(holds: Callable[[], object], *, timeout_s: float = 90.0) -> None:
    """Until it gives something true; what it last gave is told when the time is up."""
    deadline = time.monotonic() + timeout_s
    while True:
        last: object = None
        with suppress(OSError):
            last = holds()
            if last:
                return
        assert time.monotonic() < deadline, last
        time.sleep(0.2)
