"""`sightglass drift replay`: events on standard output, bad lines told and left out."""

from __future__ import annotations

import json

import orjson
import pytest

from tests.analyse.drift.test_replay import records


def _file(path, lines):
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" if isinstance(line, dict) else line for line in lines))
    return str(path)


def _take(stream, count):
    return [next(stream) for _ in range(count)]


def test_a_file_is_looked_over(sightglass, tmp_path):
    lines = [*_take(records(1), 540), *_take(records(2, "leaking"), 30)]
    scores = tmp_path / "scores.jsonl"

    done = sightglass("drift", "replay", "--input", _file(tmp_path / "in.jsonl", lines), "--scores", str(scores))

    baseline, first, *_ = [orjson.loads(line) for line in done.output.splitlines()]
    assert (baseline["event"], baseline["index"]) == ("baseline", 499)
    assert first["event"] == "raised"
    assert 540 <= first["index"] < 560
    assert set(first) == {
        "index", "event", "kind", "route", "model", "signals", "evidence", "since_index", "severity",
    }  # fmt: skip
    written = [orjson.loads(line) for line in scores.read_bytes().splitlines()]
    assert [line["index"] for line in written] == list(range(570))
    assert set(written[0]) == {"index", "quality", "parts", "shares"}
    assert "leak" in written[-1]["shares"]


def test_bad_lines_are_told_by_number_and_keep_their_place(sightglass, tmp_path):
    lines = [*_take(records(1), 300), b"{broken\n", b"[1]\n", b"\n", b'{"response": 5}\n', *_take(records(2), 197)]

    done = sightglass("drift", "replay", "--input", _file(tmp_path / "in.jsonl", lines))

    assert done.exit_code == 3
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:3]] == ["line 301", "line 302", "line 304"]


def test_lone_surrogates_are_read(sightglass, tmp_path):
    done = sightglass("drift", "replay", "--input", _file(tmp_path / "in.jsonl", [b'{"response": "a \\ud800 b"}\n']))

    assert done.exit_code == 0


def test_a_file_that_is_not_there_is_told(sightglass, tmp_path):
    done = sightglass("drift", "replay", "--input", str(tmp_path / "none.jsonl"))

    assert done.exit_code == 1
    assert "No such file" in done.stderr


def test_one_source_is_asked_for(sightglass):
    assert sightglass("drift", "replay").exit_code == 2


def test_a_lone_surrogate_in_a_name_is_told_as_json_escapes_it(sightglass, tmp_path):
    lines = [b'{"route": "\\ud83d", ' + orjson.dumps(line)[1:] + b"\n" for line in _take(records(1), 510)]

    done = sightglass("drift", "replay", "--input", _file(tmp_path / "in.jsonl", lines))

    assert done.exit_code == 0
    [event] = [json.loads(line) for line in done.output.splitlines()]
    assert (event["event"], event["route"]) == ("baseline", "\ud83d")


@pytest.mark.parametrize("scores", ["in.jsonl", "link.jsonl", "-"])
def test_scores_do_not_take_the_place_of_the_input(sightglass, tmp_path, monkeypatch, scores):
    monkeypatch.chdir(tmp_path)
    path = _file(tmp_path / "in.jsonl", [{"response": "a"}])
    (tmp_path / "link.jsonl").symlink_to(path)

    done = sightglass("drift", "replay", "--input", path, "--scores", scores)

    assert done.exit_code == 2
    assert "give another file" in done.stderr
    assert (tmp_path / "in.jsonl").read_bytes() == b'{"response":"a"}\n'


def test_a_budget_is_a_number(sightglass, tmp_path):
    done = sightglass("drift", "replay", "--input", _file(tmp_path / "in.jsonl", []), "--budget", "nan")

    assert done.exit_code == 2
