"""What is remembered of models that do not want to be asked for usage."""

from __future__ import annotations

from proxy.relay.usage_refusals import MODELS, REMEMBERED_S, UsageRefusals


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_refusal_is_one_models_and_holds_for_an_hour() -> None:
    clock = Clock()
    refusals = UsageRefusals(clock)
    refusals.note("a")
    refusals.note(None)

    assert [refusals.holds(model) for model in ("a", None, "b")] == [True, True, False]

    clock.now_s += REMEMBERED_S
    assert [refusals.holds(model) for model in ("a", None, "b")] == [False, False, False]


def test_who_refuses_for_very_many_models_refuses_for_all() -> None:
    clock = Clock()
    refusals = UsageRefusals(clock)
    for number in range(MODELS + 1):
        refusals.note(f"m{number}")

    assert refusals.holds("never seen")

    clock.now_s += REMEMBERED_S
    assert not refusals.holds("never seen")
