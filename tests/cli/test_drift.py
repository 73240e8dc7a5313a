"""`sightglass drift replay`: events on standard output, bad lines told and left out."""

from __future__ import annotations

import orjson

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
