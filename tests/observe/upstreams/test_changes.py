"""What is a change and what is not."""

from __future__ import annotations

from proxy.core.event import Event
from proxy.observe.upstreams.answers import MODELS_MOST, Installed, Loaded, Shown
from proxy.observe.upstreams.changes import LOADED_CONTEXT_NS, Known, compare
from proxy.observe.upstreams.looking import Seen
from proxy.observe.upstreams.watch import ModelsSeen
from proxy.store import UpstreamChanges

UP = Seen(up=True, kind="ollama", version="1", at_unix_s=1)
MODEL = Installed(name="m:latest", digest="a", quantization="Q4_K_M", context_length=4096)


class Story:
    """Looks one after the other."""

    def __init__(self) -> None:
        self.known = Known({}, {})
        self.now_ns = 10**18

    def look(self, models: ModelsSeen, *, seen: Seen = UP, after_ns: int = 10**9) -> list[tuple[object, ...]]:
        self.now_ns += after_ns
        changes = compare(self.known, "u", seen, models, {}, self.now_ns)
        self.known.take(changes)
        return [short(event) for event in changes.events]


def short(event: Event) -> tuple[object, ...]:
    return event.kind, event.model, event.before, event.after


def models(*installed: Installed, context: int | None = None, template: str | None = None) -> ModelsSeen:
    return ModelsSeen(
        installed={each.name: each for each in installed},
        loaded={} if context is None else {each.name: Loaded(context=context) for each in installed},
        shown={} if template is None else {each.name: Shown(template_hash=template) for each in installed},
        listed=True,
    )


def changed(**fields: object) -> Installed:
    return Installed(**{"name": "m:latest", "digest": "a", "quantization": "Q4_K_M", "context_length": 4096, **fields})  # type: ignore[arg-type]


def test_the_first_look_is_no_change() -> None:
    assert Story().look(models(MODEL, context=4096, template="t")) == []


def test_each_kind_once() -> None:
    story = Story()
    story.look(models(MODEL, context=4096, template="t"))

    looks = [
        story.look(models(changed(digest="b", quantization="Q2_K"), context=4096, template="t")),
        story.look(models(changed(digest="b", quantization="Q2_K"), context=4096, template="t2")),
        story.look(models(changed(digest="b", quantization="Q2_K", context_length=2048), context=2048, template="t2")),
        story.look(models(changed(digest="b", quantization="Q2_K", context_length=2048), context=2048, template="t2")),
    ]

    assert looks == [
        [("digest", "m:latest", "a", "b"), ("quantization", "m:latest", "Q4_K_M", "Q2_K")],
        [("template", "m:latest", "t", "t2")],
        [("context_length", "m:latest", "4096", "2048"), ("loaded_context", "m:latest", "4096", "2048")],
        [],
    ]


def test_what_is_not_told_is_no_change() -> None:
    story = Story()
    story.look(models(MODEL, context=4096, template="t"))

    assert story.look(models(Installed(name="m:latest"))) == []
    assert story.look(ModelsSeen(installed={}, listed=False, error="slow")) == []
    assert story.look(models(MODEL, context=4096, template="t")) == []


def test_a_model_that_comes_back_is_compared_with_what_it_was() -> None:
    story = Story()
    story.look(models(MODEL))
    gone = story.look(models())
    row = story.known.models["u", "m:latest"]

    assert (gone, row.gone_unix_ns) == ([], story.now_ns)
    assert story.look(models(changed(digest="b"))) == [("digest", "m:latest", "a", "b")]
    assert story.known.models["u", "m:latest"].gone_unix_ns is None


def test_versions() -> None:
    story = Story()
    newer = Seen(up=True, kind="ollama", version="2", at_unix_s=1)
    down = Seen(up=False, kind="ollama", at_unix_s=1)

    assert story.look(models()) == []
    assert story.look(models(), seen=down) == []
    assert story.look(models(), seen=newer) == [("version", None, "1", "2")]
    assert story.look(models(), seen=newer) == []


def test_a_context_that_goes_to_and_fro_is_told_now_and_then() -> None:
    story = Story()
    told = [
        story.look(models(MODEL, context=4096 if number % 2 else 8192), after_ns=LOADED_CONTEXT_NS // 10)
        for number in range(100)
    ]

    assert 5 <= sum(map(len, told)) <= 10


def test_a_row_is_written_only_when_something_is_new() -> None:
    story = Story()
    story.look(models(MODEL))

    changes = compare(story.known, "u", UP, models(MODEL), {}, story.now_ns + 1)

    assert changes == UpstreamChanges(events=[], models=[], upstreams=[], forgotten=[], corrections=[])


def test_names_that_came_and_went_are_forgotten_beyond_a_bound() -> None:
    story = Story()
    for number in range(4):
        story.look(models(*(Installed(name=f"m{number}-{each}", digest="a") for each in range(MODELS_MOST // 2))))

    assert len(story.known.models) == MODELS_MOST // 2 + MODELS_MOST
