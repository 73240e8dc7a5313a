"""The page's part about models: what is installed, what is loaded. Every text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from proxy.observe.upstreams.figures import ModelRow

DIGEST_CHARACTERS: Final = 12  # as `ollama list` shows it
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")


def models_section(report: Mapping[str, Any], models: Sequence[ModelRow]) -> str:
    """A heading and a table; empty where no upstream told its models."""
    counts = [upstream["models"]["installed"] for upstream in report["upstreams"]]
    known = [count for count in counts if count is not None]
    if not known:
        return ""
    several = len(report["upstreams"]) > 1
    titles = "".join(
        f"<th{kind}>{title}</th>"
        for title, kind in (
            *((("Upstream", ""),) if several else ()),
            *(("Model", ""), ("Digest", ""), ("Quantisation", ""), ("Parameters", "")),
            *((title, ' class="number"') for title in ("Context", "Size", "VRAM")),
            ("Loaded", ""),
        )
    )
    rows = "\n".join(_row(model, several=several) for model in models)
    more = sum(known) - len(models)
    rest = f"<p>And {more:,} more.</p>\n" if more > 0 else ""
    return (
        f'<section>\n<h2>Models</h2>\n<div class="wide"><table>\n<thead><tr>{titles}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>\n{rest}</section>\n"
    )


def _row(model: ModelRow, *, several: bool) -> str:
    texts = (
        *((escape(model.upstream),) if several else ()),
        escape(model.name),
        f"<code>{escape((model.digest or '–')[:DIGEST_CHARACTERS])}</code>",
        escape(model.quantization or "–"),
        escape(model.parameter_size or "–"),
    )
    context = model.loaded_context or model.context_length
    numbers = (f"{context:,}" if context else "–", size(model.size_bytes), size(model.vram_bytes))
    cells = "".join(f"<td>{text}</td>" for text in texts)
    cells += "".join(f'<td class="number">{text}</td>' for text in numbers)
    return f"<tr>{cells}<td>{_loaded(model)}</td></tr>"


def _loaded(model: ModelRow) -> str:
    if model.loaded is None:
        return "–"
    if not model.loaded:
        return "no"
    left_s = model.expires_in_s
    if left_s is None or left_s > 30 * 86400:
        return '<span class="good">yes</span>'
    left = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
    return f'<span class="good">yes</span>, {left} left'


def size(count: int | None) -> str:
    """Bytes for people, in thousands as Ollama counts them."""
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 10 or unit == 0 else f"{value:.1f} {_UNITS[unit]}"
