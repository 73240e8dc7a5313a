"""What a model costs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from proxy.core.config.section import Section


class Price(Section, frozen=True, kw_only=True):
    """Own price of a model: by tokens, by seconds of work, or by electricity; one of them. Wins over the price file."""

    input_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="USD per million prompt tokens.")
    ] = None
    output_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)],
        Meta(description="USD per million completion tokens, reasoning included. Needs input_usd_per_mtok."),
    ] = 0.0
    cached_usd_per_mtok: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="USD per million prompt tokens that were read from a cache. Unset: as other prompt tokens."),
    ] = None
    gpu_second_usd: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(
            description="USD per second that Ollama read the prompt or generated. Only its own dialect (/api/...) tells"
            " these seconds; other calls have no cost then."
        ),
    ] = None
    watts: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="What the machine draws during these seconds. Needs usd_per_kwh."),
    ] = None
    usd_per_kwh: Annotated[
        Annotated[float, Meta(ge=0)] | None, Meta(description="Price of electricity. Needs watts.")
    ] = None
    shadow_model: Annotated[
        str | None,
        Meta(
            description="Model of litellm's price file, such as gpt-4o-mini: each call also tells what its tokens would"
            " have cost there. May stand alone."
        ),
    ] = None
