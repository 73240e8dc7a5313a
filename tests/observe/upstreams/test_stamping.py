"""The watcher inside the interpreter: a fault of it costs the call its model, and nothing else."""

from __future__ import annotations

from proxy.observe.guards import Guards
from proxy.observe.interpreting import Interpreter
from proxy.observe.pricing import PriceBook
from proxy.observe.upstreams.watcher import Watcher
from tests.observe.test_interpreting import OWN, frame
from tests.observe.upstreams.servers import upstream


def test_a_fault_is_named_and_the_rest_of_the_record_is_there() -> None:
    guards = Guards("upstreams")
    watcher = Watcher([upstream(1)], every_s=60)

    record = Interpreter(guards, PriceBook(OWN, None), lambda _: None, watcher=watcher).observed(frame()).record

    assert record is not None
    assert (record.observer_errors, guards.errors["upstreams"]) == (("upstreams",), 1)
    assert (record.model_digest, record.prompt_tokens, record.cost_source) == (None, 20, "local")


def test_before_the_first_look_nothing_is_claimed() -> None:
    watcher = Watcher([upstream(1)], every_s=60)

    record = Interpreter(Guards(), PriceBook(OWN, None), lambda _: None, watcher=watcher).observed(frame()).record

    assert record is not None
    assert (record.model_digest, record.model_loaded_before, record.cold_start) == (None, None, None)
