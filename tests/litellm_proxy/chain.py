"""A real LiteLLM proxy between two Sightglasses: client -> front -> LiteLLM -> stand-in, or -> behind -> stand-in.

LiteLLM lives in an environment of its own (`make litellm`): it is large, and pins much that we want newer.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from bench.processes import StartFailedError, free_port, last_lines, start, stop
from bench.product import Product

COMMAND: Final = Path(__file__).parents[2] / ".venv-litellm" / "bin" / "litellm"
KEY: Final = "sk-chain"
READY_S: Final = 120.0  # 20 to 45 s seen on two busy cores
PRICE: Final = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}

Row = dict[str, Any]


class Chain:
    """All of its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("front", "behind"):
            (folder / name).mkdir()
        self.port = free_port()
        self.behind = Product(folder / "behind", env={"SIGHTGLASS_UPSTREAM_KIND": "ollama"})
        self.front = Product(folder / "front", upstream=self.url)
        self._log = folder / "litellm.log"
        self._litellm: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """LiteLLM itself."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start all; LiteLLM, which takes longest, first."""
        config = self.folder / "litellm.yaml"
        config.write_text(json.dumps(self._config()))  # JSON is YAML
        argv = [str(COMMAND), "--config", str(config), "--host", "127.0.0.1", "--port", str(self.port)]
        env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "NO_DOCS": "True"}
        self._litellm = start([*argv, "--telemetry", "False"], log=self._log, env=env, cwd=self.folder)
        self.behind.start_model()
        for product in (self.behind, self.front):
            product.serve()
            product.wait_serving()
        self._wait_ready()

    def stop(self) -> None:
        """End all."""
        self.front.stop()
        self.behind.stop()
        if self._litellm is not None:
            stop(self._litellm, timeout_s=10.0)

    @property
    def both(self) -> tuple[Product, Product]:
        """The Sightglass before LiteLLM and the one behind it."""
        return self.front, self.behind

    def row(self, litellm_call_id: str | None) -> Row:
        """The front's record of the call that LiteLLM gave this id."""
        assert litellm_call_id
        return self.first(self.front, lambda row: row["litellm_call_id"] == litellm_call_id)

    def first(self, product: Product, wanted: Callable[[Row], bool], *, timeout_s: float = 10.0) -> Row:
        """The first record that is wanted; waits for it."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for row in product.wait_rows(1):
                if wanted(row):
                    return row
            time.sleep(0.05)
        raise AssertionError("no such record")

    def _wait_ready(self) -> None:
        assert self._litellm is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._litellm.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{self.url}/health/readiness", timeout=5):
                return
            time.sleep(0.2)
        raise StartFailedError(last_lines(self._log, 20))

    def _config(self) -> dict[str, Any]:
        native = f"http://127.0.0.1:{self.behind.model_port}"
        through = self.behind.url
        models = [
            *(_route(name, f"ollama_chat/{name}", native) for name in ("chat", "think", "tools", "tools2", "slow")),
            *(_route(f"v1-{name}", f"openai/{name}", f"{native}/v1") for name in ("chat", "think", "tools2")),
            _route("embed", "openai/embed", f"{native}/v1"),
            _route("missing", "ollama_chat/nope", native),
            _route("gpt-4o", "ollama_chat/chat", native, priced=False),  # an alias that looks like a cloud's
            _route("down", "openai/chat", f"http://127.0.0.1:{free_port()}/v1"),
            _route("behind", "ollama_chat/chat", through),
            _route("v1-behind", "openai/chat", f"{through}/v1"),
        ]
        return {
            "model_list": models,
            "litellm_settings": {"include_cost_in_streaming_usage": True},
            "router_settings": {"num_retries": 0, "fallbacks": [{"down": ["v1-chat"]}], "disable_cooldowns": True},
            "general_settings": {"master_key": KEY},
        }


def _route(name: str, model: str, base: str, *, priced: bool = True) -> dict[str, Any]:
    params = {"model": model, "api_base": base, "api_key": "none", "max_retries": 0}
    return {"model_name": name, "litellm_params": {**params, **(PRICE if priced else {})}}
