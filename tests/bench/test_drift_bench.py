"""The drift bench on made-up material: streams are repeatable, faults do what they say, and the tables come out."""

import gzip
import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest

from bench.drift import intervals, spoiling
from bench.drift.answers import Answer
from bench.drift.contenders import CONTENDERS
from bench.drift.faults import ALL, FAULTS
from bench.drift.material import read_materials
from bench.drift.stream import AFTER, WARM_UP, Base, Source, bases
from bench.drift.traffic import KINDS, Moment
from bench.drift.trial import Plan, run
from proxy.analyse.drift import priors
from proxy.observe.quality.signals import PLACE

_TURBO = "gpt-3.5-turbo-1106"
_MODELS = ("llama-2-70b", "llama-2-13b", "vicuna-13b", "vicuna-7b", _TURBO, f"{_TURBO}_concise", f"{_TURBO}_verbose")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A developer split in miniature, with words of its own for each model."""
    place = tmp_path_factory.mktemp("drift-data")
    rng = random.Random(1)
    prompts = [
        {"pid": f"p{number}", "category": ("a", "b", "c")[number % 3], "prompt": _text(rng, "prompt", 12)}
        for number in range(60)
    ]
    _write(place, "prompts", prompts)
    _write(
        place,
        "responses",
        [
            {"model": model, "pid": prompt["pid"], "response": _text(rng, model[:3], 30 + 10 * rank)}
            for rank, model in enumerate(_MODELS)
            for prompt in prompts
        ],
    )
    _write(
        place,
        "vendor",
        [
            {
                "task": "count",
                "model": model,
                "id": number,
                "prompt": _text(rng, "q", 9),
                "response": _text(rng, "v", 9),
            }
            for model in ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613")
            for number in range(30)
        ],
    )
    _write(
        place,
        "temperature",
        [
            {"model": model, "id": f"{number}", "response": _text(rng, "t", 40)}
            for model in ("Qwen1.5-72B-Chat", "Qwen1.5-72B-Chat-greedy")
            for number in range(30)
        ],
    )
    _write(place, "refusals", [{"response": f"I'm sorry, I cannot do {number}."} for number in range(20)])
    _write(place, "foreign", [{"language": "fr", "response": _text(rng, "été", 20)} for _ in range(40)])
    pairs = [
        ("llama-2-70b", "llama-2-13b", "sibling"),
        ("vicuna-13b", "vicuna-7b", "sibling"),
        (_TURBO, f"{_TURBO}_concise", "template"),
        (_TURBO, f"{_TURBO}_verbose", "template"),
    ]
    rows = [
        {"from": a, "to": b, "class": kind, "win_rate_from": _rate(a), "win_rate_to": _rate(b)} for a, b, kind in pairs
    ]
    (place / "pairs.json").write_text(json.dumps(rows))
    return place


def _rate(model: str) -> float:
    return 3.0 + 2.0 * _MODELS.index(model)


def _text(rng: random.Random, stem: str, words: int) -> str:
    return " ".join(f"{stem}{rng.randrange(50)}" for _ in range(words)) + "."


def _write(place, name, rows):
    with gzip.open(place / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_there_are_36_classes_with_names_of_their_own():
    assert len(FAULTS) == 36
    assert len({fault.name for fault in ALL}) == len(ALL)


def test_the_two_sides_of_the_split_share_neither_prompts_nor_families(data):
    tune, validate, both = (read_materials(data, split) for split in ("tune", "validate", "all"))

    ours, theirs = ({prompt.pid for prompt in side.chat.prompts} for side in (tune, validate))
    assert ours
    assert theirs
    assert not ours & theirs
    assert ours | theirs == {prompt.pid for prompt in both.chat.prompts}
    siblings = [{pair.before for pair in side.chat.pairs if pair.kind == "sibling"} for side in (tune, validate)]
    assert siblings == [{"llama-2-70b"}, {"vicuna-13b"}]


@pytest.mark.parametrize("traffic", KINDS)
def test_a_stream_is_the_same_each_time_and_every_fault_begins_at_the_same_moment(data, traffic):
    materials = read_materials(data, "tune")
    one, other = (Source(Base("chat", "llama-2-70b", traffic, 3), materials) for _ in range(2))
    assert [one.record() for _ in range(40)] == [other.record() for _ in range(40)]

    first_prompts = {
        next(one.spoiled(fault, after))["prompt"] for fault, after in one.faults(1) if fault.prompts is None
    }

    assert first_prompts == {one.record()["prompt"]}


def test_a_fault_of_a_tenth_befalls_a_tenth(data):
    source = Source(Base("chat", "llama-2-70b", "independent", 1), read_materials(data, "tune"))
    empty = next(fault for fault in FAULTS if fault.name == "empty 10 %")

    records = list(source.spoiled(empty, None))

    assert len(records) == AFTER
    assert 60 <= sum(not record["response"].strip() for record in records) <= 140


def test_spoiling_spoils():
    material = None
    rng = random.Random(5)
    answer = Answer(Moment(None, 1.0, 1), json.dumps({"answer": 'It\'s a "good" day. We go on.', "complete": True}))

    for _ in range(50):
        with pytest.raises(json.JSONDecodeError):
            json.loads(spoiling.broken_json(answer, material, rng).text)
        assert spoiling.mojibake(answer, material, rng).text != answer.text
        assert len(spoiling.loop(answer, material, rng).text) > 400


@pytest.mark.parametrize("name", ["rule"])
def test_a_trial_counts_calm_answers_and_finds_what_is_plain(data, name):
    base = Base("chat", "llama-2-70b", "independent", 1)
    plan = Plan((name,), 1200, 1, frozenset({"truncation"}))

    (calm,), found = run(base, read_materials(data, "tune"), plan)

    assert calm.answers == 1200 - WARM_UP
    assert {one.fault for one in found} == {fault.name for fault in FAULTS if fault.row == "truncation"}
    assert any(one.delay is not None and one.delay <= 60 for one in found)


def test_each_base_is_run_once(data):
    found = bases(read_materials(data, "all"), KINDS, seeds=2, models=1)

    assert len(found) == len(set(found)) == 2 * 3 * 4
    assert "rule" in CONTENDERS


def test_intervals_agree_with_the_books():
    assert intervals.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert intervals.poisson(0) == pytest.approx((0.0, 3.6889), abs=1e-3)
    assert intervals.poisson(5) == pytest.approx((1.6235, 11.6683), abs=1e-3)
    assert intervals.median_range(list(range(100))) == (40, 60)


def test_the_bench_prints_its_tables(data):
    command = [sys.executable, "-m", "bench.drift", "--data", str(data), "--quick", "--jobs", "1", "--calm", "1200"]
    command += ["--contenders", "rule", "--traffics", "bursty", "--faults", "hard,prompts"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)

    assert "| false alarms per 10,000 answers | <= 0.5 |" in done.stdout
    assert "| refusal 100 % |" in done.stdout


def test_priors_are_learned_and_taken_up(data, tmp_path):
    learned = tmp_path / "priors.npz"
    command = [sys.executable, "-m", "bench.drift.learn", "--data", str(data), "--out", str(learned)]
    assert "7 models" in subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout

    moves, likeness = priors.read(learned)

    longer = PLACE["log_chars"]  # what the models differ in
    assert moves[longer, longer] > 4 * moves.diagonal().mean()
    assert (moves == moves.T).all()
    assert np.linalg.eigvalsh(moves).min() > -1e-3
    assert (likeness.diagonal() == 1).all()

    bench = [sys.executable, "-m", "bench.drift", "--data", str(data), "--quick", "--jobs", "1", "--models", "1"]
    bench += ["--contenders", "sightglass", "--traffics", "bursty", "--faults", "hard", "--priors", str(learned)]
    assert "| sightglass |" in subprocess.run(bench, capture_output=True, text=True, timeout=100, check=True).stdout


def test_scores_are_ranked_against_win_rates(data):
    command = [sys.executable, "-m", "bench.drift.scores", "--data", str(data)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)

    assert "| published weights | " in done.stdout
    assert "| `coherence` alone | " in done.stdout


def test_the_hour_of_calm_runs(data):
    """Through a whole Sightglass, for three seconds."""
    options = ["--data", str(data), "--split", "all", "--minutes", "0.05", "--rate", "40"]
    ran = subprocess.run(
        [sys.executable, "-m", "bench.drift.calm", *options], capture_output=True, text=True, timeout=120, check=True
    )

    answered, kept = re.match(r"(\d+) calls answered, (\d+) in the ledger", ran.stdout).groups()
    assert int(answered) >= 100
    assert answered == kept
    assert "alarms raised: 0" in ran.stdout
