"""The judge before a server that plays it: what is chosen, what is asked, and what happens when it fails."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from msgspec.structs import replace

from proxy.core.call import CallRecord
from proxy.core.config import Config, Quality
from proxy.core.config import Judge as JudgeSettings
from proxy.observe.guards import Guards
from proxy.observe.observed import Observed
from proxy.observe.quality.judge import Judge
from proxy.observe.quality.judging import TASK
from proxy.wire.meaning import Meaning


class _Playing(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((dict(self.headers), json.loads(body)))
        self.server.hold.wait(5)
        status, reply = self.server.reply
        said = json.dumps({"choices": [{"message": {"content": reply}}]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = HTTPServer(("127.0.0.1", 0), _Playing)
    server.asked, server.reply, server.hold = [], (200, "8"), threading.Event()
    server.hold.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def judging(server):
    """Makes judges that ask the server, and ends them."""
    made = []

    def make(**settings):
        settings = {"model": "grader", "share": 1.0, "per_minute": 600.0} | settings
        config = Config(port=server.server_port, quality=Quality(judge=JudgeSettings(**settings)))
        guards, told = Guards(), []
        judge = Judge(config, guards, told=lambda record, grade: told.append((record.call_id, grade)))
        made.append(judge)
        return judge, guards, told

    yield make
    for judge in made:
        judge.close()
        judge.wait()


def _observed(call_id: str = "call-1", *, text: str = "Because of Rayleigh scattering.", **changes: object) -> Observed:
    record = CallRecord(
        call_id=call_id, request_id="r", started_unix_ns=1, route="/v1/chat/completions", dialect="openai_chat",
        method="POST", outcome="ok", model="llama3.2",
    )  # fmt: skip
    request = {"messages": [{"role": "user", "content": "Why is the sky blue?"}]}
    meaning = Meaning(dialect="openai_chat", text=text)
    return Observed(record=replace(record, **changes), meaning=meaning, request=request)


def _until(condition, *, timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_answer_is_graded_and_told_with_the_next_delivery(server, judging):
    judge, _, told = judging()

    judge.deliver([judge.prepare(_observed())])
    _until(lambda: judge.fates["judged"] == 1)
    judge.deliver([])

    assert told == [("call-1", 0.8)]
    ((head, body),) = server.asked
    assert head["x-sightglass-task"] == TASK
    assert head["x-sightglass-session"] == "call-1"
    assert body["model"] == "grader"
    assert "Why is the sky blue?" in body["messages"][0]["content"]
    assert "Rayleigh" in body["messages"][0]["content"]


@pytest.mark.parametrize(
    "observed",
    [
        _observed(claimed_task=TASK),
        _observed(outcome="upstream_error"),
        _observed(text="  "),
        Observed(record=_observed().record),
    ],
)
def test_its_own_calls_and_what_is_no_answer_are_not_judged(judging, observed):
    judge, _, _ = judging()

    assert judge.prepare(observed) is None


def test_the_share_is_kept_and_the_same_calls_are_chosen_again(judging):
    (one, _, _), (other, _, _) = judging(share=0.1), judging(share=0.1)
    calls = [_observed(f"call-{number}") for number in range(2000)]

    chosen = [[judge.prepare(call) is not None for call in calls] for judge in (one, other)]

    assert chosen[0] == chosen[1]
    assert 120 <= sum(chosen[0]) <= 280


def test_what_has_no_room_is_dropped_and_counted(server, judging):
    server.hold.clear()
    judge, _, _ = judging()

    judge.deliver([judge.prepare(_observed(f"call-{number}")) for number in range(100)])

    assert judge.fates["dropped"] >= 100 - 33
    server.hold.set()


def test_the_pace_is_kept(server, judging):
    judge, _, _ = judging(per_minute=1.0)

    judge.deliver([judge.prepare(_observed(f"call-{number}")) for number in range(5)])
    _until(lambda: judge.fates["judged"] >= 1)
    time.sleep(0.2)

    assert len(server.asked) == 1


def test_a_judge_that_fails_is_counted_and_asked_again(server, judging):
    judge, guards, _ = judging()
    server.reply = (503, "")
    judge.deliver([judge.prepare(_observed())])
    _until(lambda: judge.fates["failed"] == 1)

    server.reply = (200, "no idea")
    judge.deliver([judge.prepare(_observed("call-2"))])
    _until(lambda: judge.fates["unreadable"] == 1)

    assert guards.errors["judge"] == 1


def test_the_key_comes_from_the_environment(server, judging, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-1")
    judge, _, _ = judging(key_env="JUDGE_KEY")

    judge.deliver([judge.prepare(_observed())])
    _until(lambda: judge.fates["judged"] == 1)

    assert server.asked[0][0]["Authorization"] == "Bearer sk-1"
