"""Writes docs/metrics.md from the definitions. With --check: only says whether it is current.

python scripts/metrics_docs.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from proxy.observe import definitions as d
from proxy.observe.families import Family
from proxy.observe.metrics import MODELS, SERIES
from proxy.observe.tool_names import TOOLS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"

HEAD = f"""\
# Metrics

<!-- Written by scripts/metrics_docs.py from proxy/observe/definitions.py. Change it there. -->

The console serves them at `/metrics` (port 11436), in Prometheus' text format or as OpenMetrics, as the scraper asks,
packed with gzip when it can unpack. One process holds all numbers, so they are right for any number of relay workers. A
scrape is rendered beside the relays, never in them: it delays no call.

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

Clients choose model names, so they are capped: the first {MODELS} names have a label of their own, and all families
with `model` have {SERIES:,} label sets together. What is beyond becomes `other` and is counted in
`sightglass_label_overflow_total`. A name that an upstream rejected and that never worked takes no place. Of tools the
first {TOOLS} names have one; a name that only a model made up takes none.
"""

HEADINGS = {
    d.CALLS.name: "Calls",
    d.UPSTREAM_UP.name: "Upstreams",
    d.ACTIVE.name: "Relays",
    d.LAG_BYTES.name: "Observer",
}


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_tables(), "## Buckets", "", *_buckets(), ""])


def _tables() -> Iterator[str]:
    for family in d.FAMILIES:
        if family.name in HEADINGS:
            if family is not d.FAMILIES[0]:
                yield ""
            yield f"## {HEADINGS[family.name]}\n"
            yield "| metric | kind | labels | meaning |"
            yield "| --- | --- | --- | --- |"
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.help} |"
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
