"""Writes docs/metrics.md from the definitions. With --check: only says whether it is current.

python scripts/metrics_docs.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from proxy.analyse.drift.live import LANES_TOLD
from proxy.core.config import MetricsCaps
from proxy.observe import definitions as d
from proxy.observe.families import Family
from proxy.observe.tool_names import TOOLS
from proxy.observe.upstreams.figures import MODELS_TOLD

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"

CAPS = MetricsCaps()

HEAD = f"""\
# Metrics

<!-- Written by scripts/metrics_docs.py from proxy/observe/definitions. Change it there. -->

The console serves them at `/metrics` (port 11436), in Prometheus' text format or as OpenMetrics, as the scraper asks,
packed with gzip when it can unpack. One process holds all numbers, so they are right for any number of relay workers. A
scrape is rendered in the observer, never in a relay: no call waits for it. It takes processor time as any process does,
so where all cores are busy scrape less often (`python -m bench.scraping` measures the worst: full caps, no pause).

A call is counted when it is in the ledger, within a second of its end; so these counters and the ledger agree. They
begin at 0 with each start of the observer, as Prometheus expects of a counter.

## Labels

| label | values |
| --- | --- |
| `route` | path templates such as `/v1/chat/completions`; `other` for paths that are not known |
| `model` | as the client wrote it; `none` when the request names none; `other` beyond the caps |
| `tool` | names that requests offer; `none` for a result whose call was not seen; `other` beyond the cap |
| `upstream` | names of the settings; `none` when the call went to none |
| `outcome` | {", ".join(f"`{word}`" for (word,) in d.OUTCOMES_TOTAL.known)}: see [calls](calls.md) |
| `status_class` | {", ".join(f"`{word}`" for word in d.STATUS_CLASSES)}; `none` when the client left before an answer |
| `source` | of tokens and of money: see [calls](calls.md) |
| `type` | kinds of error; words of ours only |

Clients choose the names of models and tools, so they are capped: the first {CAPS.max_models} models
(`metrics.max_models`) and {TOOLS} tools have a label of their own, and all families with `model` or `tool` have
{CAPS.max_series:,} label sets together (`metrics.max_series`). What is beyond becomes `other` and is counted in
`sightglass_label_overflow_total`. A model or a tool that only came with calls that an upstream rejected
or that we refused (no key, say) takes no place, nor does a tool that only a model made up.
Beside these caps, with caps of their own: the models that an upstream lists ({MODELS_TOLD} of each), and the routes
and models that drift watches (the last {LANES_TOLD}).

Calls that belong to a trace tell it: in OpenMetrics the counters and buckets marked with `exemplars` below carry the
`trace_id` of the last call that changed them. Prometheus keeps these with `--enable-feature=exemplar-storage`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_tables(), "## Buckets", "", *_buckets(), ""])


def _tables() -> Iterator[str]:
    for heading, noun in d.NOUNS.items():
        yield f"## {heading}\n"
        yield "| metric | kind | labels | meaning |"
        yield "| --- | --- | --- | --- |"
        for family in d.families_of(noun):
            labels = ", ".join(f"`{label}`" for label in family.labels)
            kind = f"{family.kind}, exemplars" if family.examples else family.kind
            yield f"| `{family.name}` | {kind} | {labels} | {family.help} |"
        yield ""


def _buckets() -> Iterator[str]:
    by_bounds: dict[tuple[float, ...], list[Family]] = {}
    for family in d.FAMILIES:
        if family.buckets:
            by_bounds.setdefault(family.buckets, []).append(family)
    for bounds, families in by_bounds.items():
        names = ", ".join(f"`{family.name}`" for family in families)
        yield f"- {names}: {', '.join(map(_bound, bounds))}"


def _bound(bound: float) -> str:
    return str(bound) if bound < 1 else f"{bound:.10g}"


def main() -> int:
    """Write, or check. Gives the exit status."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page())
        return 0
    if PAGE.is_file() and PAGE.read_text() == page():
        return 0
    print("docs/metrics.md is not current: run python scripts/metrics_docs.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
