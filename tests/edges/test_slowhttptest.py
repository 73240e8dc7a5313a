"""slowhttptest (Debian) against the running product, in its head, body and reading modes: others are served."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from bench.product import Product
from tests.programs import require_program

MODES = {
    "head": ["-H", "-i", "1", "-x", "20"],
    "body": ["-B", "-i", "1", "-s", "8192", "-x", "10"],
    "read": ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32", "-k", "3"],
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_others_are_served_under_a_slow_attack(tmp_path: Path, mode: str) -> None:
    program = require_program("slowhttptest")
    env = {"SIGHTGLASS_LIMITS__HEAD_S": "3", "SIGHTGLASS_LIMITS__BODY_S": "3", "SIGHTGLASS_LIMITS__SEND_S": "3"}
    product = Product(tmp_path, env=env | {"SIGHTGLASS_DRAIN_S": "1"})
    product.start_model()
    product.serve()
    product.wait_serving(timeout_s=60)
    command = [program, "-c", "400", "-r", "200", "-l", "8", "-p", "10", *MODES[mode]]
    command += ["-u", f"{product.url}/v1/chat/completions"]
    attack = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        served = 0
        while attack.poll() is None:
            with urllib.request.urlopen(f"{product.url}/v1/models", timeout=30) as answer:
                assert answer.status == 200
            served += 1
            time.sleep(0.05)
        told, _ = attack.communicate()
        assert served >= 5
        assert "YES" in told[told.rindex("service available") :], told[-2000:]
    finally:
        attack.kill()
        attack.wait()
        product.stop()
