"""The judge in a whole Sightglass: its calls go through us, are marked, cost what calls cost, and are not judged."""

import time
import urllib.request

import pytest

from bench.product import Product
from tests.e2e.conftest import running

pytestmark = pytest.mark.slow


@pytest.fixture
def product(tmp_path):
    env = {
        "SIGHTGLASS_QUALITY__JUDGE__MODEL": "llama3.2",
        "SIGHTGLASS_QUALITY__JUDGE__SHARE": "1",
        "SIGHTGLASS_QUALITY__JUDGE__PER_MINUTE": "600",
    }
    yield from running(Product(tmp_path, env=env))


def test_each_answer_is_judged_once_and_the_judges_calls_are_in_the_ledger(product):
    for _ in range(3):
        body = b'{"model": "llama3.2", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}'
        request = urllib.request.Request(
            f"{product.url}/v1/chat/completions", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=10).read()

    rows = product.wait_rows(6)
    time.sleep(1.0)  # would the judge's own calls be judged, there were more by now
    rows = product.rows()

    judges = [row for row in rows if row["claimed_task"] == "sightglass-judge"]
    judged = [row for row in rows if row["claimed_task"] is None]
    assert (len(judges), len(judged)) == (3, 3)
    assert {row["claimed_session"] for row in judges} == {row["call_id"] for row in judged}
    assert all(row["completion_tokens"] for row in judges)
    page = urllib.request.urlopen(f"{product.console_url}/metrics", timeout=10).read().decode()
    fates = [line for line in page.splitlines() if line.startswith("sightglass_judge_answers_total")]
    assert sum(float(line.rpartition(" ")[2]) for line in fates) == 3
