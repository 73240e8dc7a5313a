"""`sightglass events`: what changed at the upstreams, as a table or as JSON lines."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import click
import orjson

from proxy.cli.call_table import printable
from proxy.cli.options import read_settings
from proxy.core.errors import LedgerError
from proxy.core.event import Event, event_json
from proxy.store import open_reader

_SHORT: Final = 24  # characters of a digest or a template's hash in the table
_TITLES: Final = ("AT", "KIND", "UPSTREAM", "MODEL", "BEFORE", "AFTER")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--data",
    metavar="DIR",
    envvar="SIGHTGLASS_DATA",
    help="Where the ledger is.  [default: as in the settings, else ./sightglass-data]",
)
@click.option("--config", metavar="FILE", help="Settings file to take --data from.")
@click.option("--last", metavar="N", type=click.IntRange(min=0), default=20, show_default=True, help="How many events.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line; what there is not is left out.")
def events(*, data: str | None, config: str | None, last: int, as_json: bool) -> None:
    """Print what changed at the upstreams, the newest last.

    Other weights, template, quantization or context length under the name of a model, another version of the server.
    docs/events.md says what every word means.
    """
    directory = Path(data or read_settings({"config": config}).config.data).expanduser()
    try:
        with open_reader(directory) as reader:
            found = reader.events(last=last)
    except LedgerError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        lines = [orjson.dumps(event_json(event), option=orjson.OPT_APPEND_NEWLINE) for event in found]
        click.echo(b"".join(lines), nl=False)
    else:
        for line in table(found):
            click.echo(line)


def table(found: list[Event]) -> list[str]:
    """Lines for people; none for no events."""
    rows = [_TITLES, *(_row(event) for event in found)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_TITLES))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return lines if found else []


def _row(event: Event) -> tuple[str, ...]:
    texts = (event.kind, event.upstream, event.model, _short(event.before), _short(event.after))
    return (_local_time(event.at_unix_ns), *(printable(text or "-") for text in texts))


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= _SHORT else text[:12]


def _local_time(unix_ns: int) -> str:
    try:
        return datetime.fromtimestamp(unix_ns // 10**9).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "-"
